"""The past of a window as lines: what a backtest replays. Read in pieces, nothing is locked or computed here."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast
from uuid import UUID

import msgspec

from services.routing.app import tables
from services.routing.domain.backtest import AgentMoment, AgentThen, Handed, PastTicket, Setting
from services.routing.domain.roster import Roster
from services.routing.domain.ticket import Facts
from services.routing.domain.trail import Entry
from shared.database import Transaction
from shared.events import decode
from shared.events.agents import AgentDefined, AgentPresenceChanged, Presence, agent_stream
from shared.events.assignments import TicketAssigned
from shared.eventstore import EventStore

TICKETS_MAX: Final = 200_000
"""In one window: two months of a large desk, some 200 MB of lines."""

_CHUNK: Final = 1_000
_FACTS: Final = msgspec.json.Decoder(Facts)
_TRAIL: Final = msgspec.json.Decoder(tuple[Entry, ...])


class History:
    """Tells the past.

    Args:
        store: events and tables.
    """

    def __init__(self, store: EventStore[Any]) -> None:
        self._store = store

    async def lines(self, days: int) -> AsyncIterator[Setting | AgentMoment | PastTicket]:
        """The window of the last days: the setting, what agents did, every ticket that came."""
        until = datetime.now(UTC)
        since = until - timedelta(days=days)
        roster = await asyncio.to_thread(self._store.transact, tables.load_roster)
        then, moments = await asyncio.to_thread(self._agents, roster, since, until)
        yield _setting(roster, then, since, until)
        for moment in moments:
            yield moment
        after: tuple[datetime, UUID] | None = None
        count = 0
        while count < TICKETS_MAX:
            tickets = await asyncio.to_thread(self._tickets, since, until, after)
            for ticket in tickets:
                yield ticket
            count += len(tickets)
            if len(tickets) < _CHUNK:
                return
            after = tickets[-1].opened_at, tickets[-1].ticket_id

    def _agents(
        self, roster: Roster, since: datetime, until: datetime
    ) -> tuple[list[AgentThen], list[AgentMoment]]:
        then, moments = [], []
        for agent in sorted(roster.agents.values(), key=lambda one: one.position):
            profile, presence = None, Presence.OFFLINE
            for event in self._store.history(agent_stream(agent.agent_id)):
                is_before = event.recorded_at < since
                if event.recorded_at >= until:
                    break
                new_profile = event.profile if isinstance(event, AgentDefined) else None
                new_presence = event.presence if isinstance(event, AgentPresenceChanged) else None
                if is_before:
                    profile = new_profile or profile
                    presence = new_presence or presence
                    continue
                moments.append(
                    AgentMoment(
                        at=event.recorded_at,
                        agent_id=agent.agent_id,
                        position=agent.position,
                        presence=new_presence,
                        profile=new_profile,
                    )
                )
            if profile is not None:
                then.append(
                    AgentThen(
                        agent_id=agent.agent_id,
                        position=agent.position,
                        profile=profile,
                        presence=presence,
                    )
                )
        return then, sorted(moments, key=lambda one: (one.at, one.position))

    def _tickets(
        self, since: datetime, until: datetime, after: tuple[datetime, UUID] | None
    ) -> list[PastTicket]:
        def work(tx: Transaction) -> list[PastTicket]:
            rows = tx.cursor.execute(
                "SELECT ticket_id, opened_at, requester_id, facts::text AS facts, trail::text AS trail"
                " FROM tickets WHERE opened_at >= %s AND opened_at < %s AND facts IS NOT NULL"
                " AND (%s::timestamptz IS NULL OR (opened_at, ticket_id) > (%s, %s))"
                " ORDER BY opened_at, ticket_id LIMIT %s",
                (since, until, after and after[0], after and after[0], after and after[1], _CHUNK),
            ).fetchall()
            handed = _handed(tx, [row["ticket_id"] for row in rows])
            return [_ticket(row, handed.get(row["ticket_id"], [])) for row in rows]

        return self._store.transact(work)


def _setting(
    roster: Roster, agents: Iterable[AgentThen], since: datetime, until: datetime
) -> Setting:
    return Setting(
        since=since,
        until=until,
        rules_version=roster.book.version,
        rules=roster.book.rules,
        mode=roster.book.mode,
        settings=roster.settings,
        groups={group.group_id: group.profile for group in roster.groups.values()},
        agents=tuple(agents),
        calendars=tuple(roster.calendars.versions),
    )


def _handed(tx: Transaction, ids: Sequence[UUID]) -> dict[UUID, list[Handed]]:
    if not ids:
        return {}
    rows = tx.cursor.execute(
        "SELECT topic, state FROM routing_events WHERE originator_id = ANY(%s)"
        " AND topic = 'assignment.assigned.v1' ORDER BY originator_id, originator_version",
        (list(ids),),
    ).fetchall()
    found: dict[UUID, list[Handed]] = {}
    for row in rows:
        event = cast(TicketAssigned, decode(row["topic"], bytes(row["state"])))
        handed = Handed(event.occurred_at, event.agent_id, event.mode)
        found.setdefault(event.ticket_id, []).append(handed)
    return found


def _ticket(row: dict[str, Any], handed: Sequence[Handed]) -> PastTicket:
    return PastTicket(
        ticket_id=row["ticket_id"],
        opened_at=row["opened_at"],
        requester_id=row["requester_id"],
        facts=_FACTS.decode(row["facts"]),
        trail=_TRAIL.decode(row["trail"]),
        handed=tuple(handed),
    )
