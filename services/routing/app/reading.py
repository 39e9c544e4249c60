"""Questions about the present: who, which groups and rules, what waits, and why a ticket is where it is."""

import asyncio
from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import UUID

import msgspec
from psycopg.sql import SQL, Composed

from services.routing.app.asking import AgentView, GroupView, RulesView, SettingsView
from services.routing.app.tables import ORDER
from services.routing.app.telling import Told, tell
from services.routing.domain.ticket import PRIORITIES
from shared.errors import NotFound
from shared.events.agents import (
    AgentProfile,
    GroupProfile,
    Presence,
    RoutingRule,
    RoutingSettings,
    RuleMode,
)
from shared.events.base import Event
from shared.eventstore import EventStore

AGENTS_MAX: Final = 5_000
"""All agents in one answer: larger desks than the largest planned for (2,000) still fit."""

_RULES: Final = msgspec.json.Decoder(tuple[RoutingRule, ...])


class QueueView(msgspec.Struct, frozen=True):
    """A group's queue in figures. `reasons`: the codes for which tickets wait, with how many."""

    group_id: str | None
    waiting: int
    by_priority: dict[str, int]
    oldest_queued_at: datetime | None
    earliest_due_at: datetime | None
    reasons: dict[str, int]


class WaitingView(msgspec.Struct, frozen=True):
    """One waiting ticket, in the order of the queue (R3)."""

    ticket_id: UUID
    number: int | None
    group_id: str | None
    priority: str
    queued_at: datetime
    due_at: datetime | None
    reasons: list[str]


class RoutingView(msgspec.Struct, frozen=True):
    """Where a ticket is and how it came there; `history` are the events with their `why`.

    `told`: the same in plain words. `units`: the room that it takes now. `next_change_at`: when time alone does
    something to it: an offer or lease runs out, its wait widens or becomes overdue.
    """

    ticket_id: UUID
    number: int | None
    version: int
    ticket_version: int
    category: str
    priority: str
    group_id: str | None
    agent_id: str | None
    rule: str | None
    rules_version: int | None
    skills: dict[str, int]
    is_queued: bool
    is_held_by_import: bool
    queued_at: datetime | None
    due_at: datetime | None
    waits_because: list[str]
    history: list[Any]
    told: list[Told] = []
    offered_to: str | None = None
    offer_until: datetime | None = None
    is_by_hand: bool = False
    is_raised: bool = False
    overdue_since: datetime | None = None
    units: float = 0.0
    next_change_at: datetime | None = None


class Reading:
    """Reads the tables directly, always as of the last commit."""

    def __init__(self, store: EventStore[Any]) -> None:
        self._store = store

    async def agents(self) -> list[AgentView]:
        """Everybody, in order of joining."""
        rows = await self._rows("SELECT * FROM agents ORDER BY position LIMIT %s", AGENTS_MAX)
        return [_agent(row) for row in rows]

    async def agent(self, agent_id: str) -> AgentView:
        """One agent.

        Raises:
            NotFound: there is none of this id.
        """
        return (await self.agent_with_lease(agent_id))[0]

    async def agent_with_lease(self, agent_id: str) -> tuple[AgentView, bool]:
        """One agent, and whether heartbeats are expected.

        Raises:
            NotFound: there is none of this id.
        """
        rows = await self._rows("SELECT * FROM agents WHERE agent_id = %s", agent_id)
        if not rows:
            raise NotFound(f"there is no agent {agent_id}")
        return _agent(rows[0]), rows[0]["is_leased"]

    async def groups(self) -> list[GroupView]:
        """All groups, by id."""
        return [_group(row) for row in await self._rows("SELECT * FROM groups ORDER BY group_id")]

    async def group(self, group_id: str) -> GroupView:
        """One group.

        Raises:
            NotFound: there is none of this id.
        """
        rows = await self._rows("SELECT * FROM groups WHERE group_id = %s", group_id)
        if not rows:
            raise NotFound(f"there is no group {group_id}")
        return _group(rows[0])

    async def rules(self) -> RulesView:
        """The rule set."""
        rows = await self._rows("SELECT rules_version, rules_mode, rules::text AS rules FROM desk")
        row = rows[0]
        return RulesView(
            row["rules_version"], _RULES.decode(row["rules"]), RuleMode(row["rules_mode"])
        )

    async def settings(self) -> SettingsView:
        """What holds for every group."""
        rows = await self._rows("SELECT settings_version, settings FROM desk")
        settings = msgspec.convert(rows[0]["settings"], RoutingSettings)
        return SettingsView(rows[0]["settings_version"], settings)

    async def queues(self) -> list[QueueView]:
        """Every group in which somebody waits."""
        rows = await self._rows(
            "SELECT group_id, rank, refusals, count(*) AS waiting, min(queued_at) AS oldest, min(due_at) AS due"
            " FROM tickets WHERE lane IS NOT NULL GROUP BY group_id, rank, refusals ORDER BY group_id, rank DESC"
        )
        by_group: dict[str | None, list[dict[str, Any]]] = {}
        for row in rows:
            by_group.setdefault(row["group_id"], []).append(row)
        return [_queue(group_id, parts) for group_id, parts in by_group.items()]

    async def waiting(self, group_id: str | None, limit: int) -> list[WaitingView]:
        """The head of a group's queue, or of all queues."""
        rows = await self._rows(
            SQL(
                "SELECT ticket_id, number, group_id, rank, queued_at, due_at, refusals FROM tickets t"
                " WHERE lane IS NOT NULL AND (%s::text IS NULL OR group_id = %s) ORDER BY {} LIMIT %s"
            ).format(ORDER),
            group_id,
            group_id,
            limit,
        )
        return [
            WaitingView(
                ticket_id=row["ticket_id"],
                number=row["number"],
                group_id=row["group_id"],
                priority=PRIORITIES[row["rank"]].value,
                queued_at=row["queued_at"],
                due_at=row["due_at"],
                reasons=_words(row["refusals"]),
            )
            for row in rows
        ]

    async def ticket(self, ticket_id: UUID) -> RoutingView:
        """Where a ticket is, and every decision about it.

        Raises:
            NotFound: nothing was heard of it here.
        """
        rows = await self._rows(
            "SELECT * FROM tickets WHERE ticket_id = %s AND ticket_version > 0", ticket_id
        )
        if not rows:
            raise NotFound(f"routing has not heard of ticket {ticket_id}")
        row = rows[0]
        history: list[Event] = await asyncio.to_thread(self._store.history, ticket_id)
        return RoutingView(
            ticket_id=ticket_id,
            number=row["number"],
            version=row["version"],
            ticket_version=row["ticket_version"],
            category=row["category"],
            priority=PRIORITIES[row["rank"]].value,
            group_id=row["group_id"],
            agent_id=row["agent_id"],
            rule=row["rule"],
            rules_version=row["rules_version"],
            skills=row["skills"],
            is_queued=row["lane"] is not None,
            is_held_by_import=row["is_held"],
            queued_at=row["queued_at"],
            due_at=row["due_at"],
            waits_because=_words(row["refusals"]),
            history=list(history),
            told=tell(history),
            offered_to=row["offered_to"],
            offer_until=row["offer_until"],
            is_by_hand=row["is_by_hand"],
            is_raised=row["is_raised"],
            overdue_since=row["overdue_since"],
            units=row["units"],
            next_change_at=row["timer_at"],
        )

    async def _rows(
        self, statement: LiteralString | Composed, *values: Any
    ) -> list[dict[str, Any]]:
        pool = await self._store.pool()
        async with pool.connection() as connection:
            cursor = await connection.execute(statement, values)
            return await cursor.fetchall()


def _agent(row: dict[str, Any]) -> AgentView:
    return AgentView(
        agent_id=row["agent_id"],
        version=row["version"],
        profile=msgspec.convert(row["profile"], AgentProfile),
        presence=Presence(row["presence"]),
        chosen_presence=Presence(row["chosen_presence"]),
        load=row["load"],
        channel_loads=row["channel_loads"],
        left_at=row["left_at"],
    )


def _group(row: dict[str, Any]) -> GroupView:
    return GroupView(row["group_id"], row["version"], msgspec.convert(row["profile"], GroupProfile))


def _queue(group_id: str | None, parts: list[dict[str, Any]]) -> QueueView:
    by_priority: dict[str, int] = {}
    reasons: dict[str, int] = {}
    for part in parts:
        priority = PRIORITIES[part["rank"]].value
        by_priority[priority] = by_priority.get(priority, 0) + part["waiting"]
        for reason in _words(part["refusals"]):
            reasons[reason] = reasons.get(reason, 0) + part["waiting"]
    dues = [part["due"] for part in parts if part["due"] is not None]
    return QueueView(
        group_id=group_id,
        waiting=sum(part["waiting"] for part in parts),
        by_priority=by_priority,
        oldest_queued_at=min(part["oldest"] for part in parts),
        earliest_due_at=min(dues, default=None),
        reasons=reasons,
    )


def _words(codes: str) -> list[str]:
    return codes.split(",") if codes else []
