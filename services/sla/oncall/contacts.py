"""How the people whom alerts call are reached: one entry for an agent, a group, a group's lead or a role."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from email.utils import parseaddr
from typing import Any, Final

import msgspec

from services.sla.alerts.notice import Called
from shared.database import Transaction
from shared.errors import Conflict, FieldError, Invalid, NotFound
from shared.events.policies import OncallContactDefined
from shared.eventstore import EventTransaction
from shared.http.origin import Origin
from shared.identifiers import is_slug

WAYS: Final = ("email", "phone", "slack")
AGENTS_MAX: Final = 20
"""Whoever calls more people at once wants a mailing list."""

_TARGET: Final = re.compile(r"(?P<kind>agent|lead|group|role):(?P<name>.+)")
_PHONE: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_SLACK: Final = re.compile(r"[UWC][A-Z0-9]{6,20}")
_COLUMNS: Final = "target, version, email, phone, slack, agents, recorded_at, recorded_by"


class NewContact(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`phone` as E.164 (`+4930123456`), `slack` a member's or channel's id; `agents`: who else is meant by it."""

    email: str | None = None
    phone: str | None = None
    slack: str | None = None
    agents: tuple[str, ...] = ()


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    """An entry as it is now."""

    target: str
    version: int
    email: str | None
    phone: str | None
    slack: str | None
    agents: tuple[str, ...]
    recorded_at: datetime
    recorded_by: str

    @property
    def ways(self) -> tuple[str, ...]:
        """Which addresses there are."""
        return tuple(way for way in WAYS if getattr(self, way) is not None)


def define(
    tx: EventTransaction[Any],
    target: str,
    wanted: NewContact,
    *,
    origin: Origin,
    expected: int | None = None,
) -> Contact:
    """Say how somebody is reached; the same again changes nothing.

    Raises:
        Invalid: naming every wrong field.
        Conflict: the entry has another version than `expected`.
    """
    _check(target, wanted)
    return _store(tx, target, wanted, origin=origin, expected=expected)


def forget(tx: EventTransaction[Any], target: str, *, origin: Origin) -> None:
    """Forget the addresses for good.

    Raises:
        NotFound: there is no such entry.
    """
    find(tx, target)
    _store(tx, target, NewContact(), origin=origin)


def find(tx: Transaction, target: str) -> Contact:
    """One entry.

    Raises:
        NotFound: there is none.
    """
    found = _rows(tx, [target])
    if target not in found:
        raise NotFound(f"Nobody has said how {target} is reached.", field="target")
    return found[target]


def everybody(tx: Transaction) -> list[Contact]:
    """All entries, by target."""
    return [contact for _, contact in sorted(_rows(tx, None).items())]


def reach(tx: Transaction, targets: Sequence[str]) -> tuple[Called, ...]:
    """Whom these targets mean and how each is reached; who has no address is among them, so that it can be told."""
    found = _rows(tx, targets)
    persons = {
        f"agent:{agent}": None
        for target in targets
        for agent in (found[target].agents if target in found else ())
    }
    found |= _rows(tx, [person for person in persons if person not in found])
    meant = [
        target
        for target in dict.fromkeys([*targets, *persons])
        # An entry that only names others is not somebody to be reached.
        if target not in found or found[target].ways or not found[target].agents
    ]
    return tuple(
        Called(target=target, **{way: getattr(found.get(target), way, None) for way in WAYS})
        for target in meant
    )


def _store(
    tx: EventTransaction[Any],
    target: str,
    wanted: NewContact,
    *,
    origin: Origin,
    expected: int | None = None,
) -> Contact:
    tx.cursor.execute(
        "INSERT INTO oncall_contacts (target) VALUES (%s) ON CONFLICT DO NOTHING", (target,)
    )
    tx.cursor.execute(
        f"SELECT {_COLUMNS} FROM oncall_contacts WHERE target = %s FOR UPDATE",  # noqa: S608  # a constant
        (target,),
    )
    before = _contact(tx.cursor.fetchone() or {})
    if expected is not None and expected != before.version:
        raise Conflict(
            f"The entry {target} has version {before.version}, not {expected}.",
            field="header If-Match",
        )
    said = msgspec.structs.asdict(wanted)
    if all(getattr(before, name) == value for name, value in said.items()):
        return before
    tx.cursor.execute(
        "UPDATE oncall_contacts SET version = %(version)s, email = %(email)s, phone = %(phone)s,"
        " slack = %(slack)s, agents = %(agents)s, recorded_at = %(now)s, recorded_by = %(by)s"
        " WHERE target = %(target)s RETURNING *",
        {
            **said,
            "agents": list(wanted.agents),
            "target": target,
            "version": before.version + 1,
            "now": tx.now,
            "by": origin.actor.id,
        },
    )
    after = _contact(tx.cursor.fetchone() or {})
    tx.append(
        OncallContactDefined(
            **origin.stamp(after.version, tx.now, tx.now),
            target=target,
            ways=after.ways,
            agents=after.agents,
            previous_ways=before.ways,
            previous_agents=before.agents,
        )
    )
    return after


def _rows(tx: Transaction, targets: Sequence[str] | None) -> dict[str, Contact]:
    """Entries that say something; all of them without `targets`."""
    tx.cursor.execute(
        f"SELECT {_COLUMNS} FROM oncall_contacts"  # noqa: S608  # a constant
        " WHERE (%(targets)s::text[] IS NULL OR target = ANY(%(targets)s))"
        " AND (coalesce(email, phone, slack) IS NOT NULL OR agents <> '{}')",
        {"targets": None if targets is None else list(targets)},
    )
    return {row["target"]: _contact(row) for row in tx.cursor.fetchall()}


def _contact(row: Mapping[str, Any]) -> Contact:
    return msgspec.convert(row, Contact)


def _check(target: str, wanted: NewContact) -> None:
    faults = []
    named = _TARGET.fullmatch(target)
    if named is None or not is_slug(named["name"]):
        faults.append(
            FieldError("target", "must be agent:<id>, lead:<group>, group:<id> or role:<name>")
        )
    if wanted == NewContact():
        faults.append(FieldError("", "give email, phone, slack or agents"))
    if wanted.email is not None and not _is_address(wanted.email):
        faults.append(FieldError("email", "must be a plain address like anna@example.com"))
    if wanted.phone is not None and not _PHONE.fullmatch(wanted.phone):
        faults.append(FieldError("phone", "must be like +4930123456"))
    if wanted.slack is not None and not _SLACK.fullmatch(wanted.slack):
        faults.append(FieldError("slack", "must be the id of a member or channel, like U012AB3CD"))
    if wanted.agents and named is not None and named["kind"] == "agent":
        faults.append(FieldError("agents", "an agent is one person"))
    if len(wanted.agents) > AGENTS_MAX:
        faults.append(FieldError("agents", f"must be {AGENTS_MAX} at most"))
    faults += [
        FieldError(f"agents[{place}]", "must be an agent's id")
        for place, agent in enumerate(wanted.agents)
        if not is_slug(agent)
    ]
    if faults:
        raise Invalid("The entry cannot be accepted.", errors=faults)


def _is_address(text: str) -> bool:
    return parseaddr(text)[1] == text and text.count("@") == 1 and text.isprintable()
