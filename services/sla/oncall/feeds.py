"""Calendar feeds: addresses that nobody can guess, kept only as hashes, and what stands in them (RFC 5545)."""

import secrets
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final

from icalendar import Calendar, Event

from shared.errors import NotFound, Refused
from shared.eventstore import EventTransaction
from shared.identifiers import derived_id
from shared.oncall import RotaHistory

FEEDS_MAX: Final = 200
"""Of one rota: everybody in it, with a few calendar programs each."""

BEHIND: Final = timedelta(days=35)
AHEAD: Final = timedelta(days=180)
"""What a feed shows: the month that is accounted for, and half a year to plan by."""

REFRESH: Final = timedelta(minutes=15)
"""How often calendar programs are asked to look again."""


def make_feed(
    tx: EventTransaction[Any], rota_id: str, agent_id: str | None, *, made_by: str
) -> str:
    """A new token for a rota's feed; it is told this once.

    Raises:
        Refused: the rota has too many feeds.
    """
    tx.cursor.execute("SELECT count(*) AS count FROM rota_feeds WHERE rota_id = %s", (rota_id,))
    row = tx.cursor.fetchone()
    assert row is not None, "an aggregate always has a row"
    if row["count"] >= FEEDS_MAX:
        raise Refused(
            f"The rota {rota_id} has {FEEDS_MAX} feeds; take them back and make new ones."
        )
    token = secrets.token_urlsafe(32)
    tx.cursor.execute(
        "INSERT INTO rota_feeds (token_sha256, rota_id, agent_id, made_by, made_at)"
        " VALUES (%s, %s, %s, %s, %s)",
        (_hash(token), rota_id, agent_id, made_by, tx.now),
    )
    return token


def end_feeds(tx: EventTransaction[Any], rota_id: str) -> int:
    """Take all addresses of a rota's feeds back; returns how many."""
    tx.cursor.execute("DELETE FROM rota_feeds WHERE rota_id = %s", (rota_id,))
    return tx.cursor.rowcount


def person_of(tx: EventTransaction[Any], rota_id: str, token: str) -> str | None:
    """Whose turns this token shows; `None`: everybody's.

    Raises:
        NotFound: the token is not one of this rota's; told as if there were no such rota.
    """
    tx.cursor.execute(
        "SELECT agent_id FROM rota_feeds WHERE token_sha256 = %s AND rota_id = %s",
        (_hash(token), rota_id),
    )
    row = tx.cursor.fetchone()
    if row is None:
        raise NotFound("There is no such calendar feed.")
    agent_id: str | None = row["agent_id"]
    return agent_id


def as_ical(rota_id: str, history: RotaHistory, *, now: datetime, agent_id: str | None) -> bytes:
    """The turns of a rota around `now`, in UTC, one event each."""
    calendar = Calendar()
    calendar.add("prodid", "-//ticketing//on-call//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("x-wr-calname", f"On call: {history.current.name}")
    calendar.add("refresh-interval", REFRESH, parameters={"value": "DURATION"})
    calendar.add("x-published-ttl", f"PT{REFRESH // timedelta(minutes=1)}M")
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    begins, ends = today - BEHIND, today + AHEAD
    for span in history.spans(begins, ends):
        if agent_id is not None and span.agent_id != agent_id:
            continue
        # A turn that the feed's own edge cuts would be another event each day.
        is_cut = span.starts_at == begins or span.ends_at == ends
        if is_cut and not span.starts_at <= now < span.ends_at:
            continue
        event = Event()
        # The same turn keeps its UID; another person's turn at the same time is another event.
        uid = derived_id("oncall_turn", rota_id, span.agent_id, span.starts_at.isoformat())
        event.add("uid", f"{uid}@ticketing")
        event.add("dtstamp", now.astimezone(UTC).replace(microsecond=0))
        event.add("dtstart", span.starts_at.astimezone(UTC))
        event.add("dtend", span.ends_at.astimezone(UTC))
        event.add("summary", f"On call: {span.agent_id} ({history.current.name})")
        through = "an override" if span.override_id else f"layer {span.layer}"
        event.add("description", f"Rota {rota_id}, through {through}.")
        event.add("transp", "TRANSPARENT")
        calendar.add_component(event)
    content: bytes = calendar.to_ical()
    return content


def _hash(token: str) -> bytes:
    return sha256(token.encode()).digest()
