"""Rules on trial: on a sample, or on the tickets of the last days; nothing is locked, decided or stored."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from services.routing.app import tables
from services.routing.app.overshadowed import Overshadowed, Shadows
from services.routing.domain.people import check_rules
from services.routing.domain.roster import Roster
from services.routing.domain.rules import RuleBook
from services.routing.domain.rules.trial import Sample, Tried, try_rules
from services.routing.domain.ticket import PRIORITIES, Facts
from shared.database import Transaction
from shared.events.agents import RoutingRule, RuleMode
from shared.events.base import Priority
from shared.eventstore import EventStore

TICKETS_MAX: Final = 200_000
"""Of the last days, newest first: two months of a large desk, some twenty seconds."""

_CHUNK: Final = 2_000
"""Tickets read and judged in one go, a tenth of a second: live decisions share the processor with it."""

_NOTES: Final = (
    "Tickets are judged as routing knows them now: subject, type, tags and fields may have changed since they came.",
    "Messages are not kept here: where their words decide, the ticket is counted as doubtful.",
)

_FACTS: Final = msgspec.json.Decoder(Facts)


class DryRun(msgspec.Struct, frozen=True, kw_only=True):
    """What the rules on trial would do.

    Attributes:
        against_version: of the rules in force, with which they were compared.
        tickets_count: judged. `changed_count`: for which something changes. `unmatched_count`: that no rule takes.
        doubtful_count: of which the message decides, and it is not kept here.
        by_rule: how many tickets each rule takes; a rule that takes none is here with 0.
        moved: group now → group then → how many tickets.
        overshadowed: rules that take none although their conditions hold for some, because others come before.
        tickets: those asked for, in order.
        is_cut_short: there were more than could be looked at.
        notes: what the figures cannot know.
    """

    against_version: int
    tickets_count: int
    changed_count: int
    unmatched_count: int
    doubtful_count: int
    by_rule: dict[str, int]
    moved: dict[str, dict[str, int]]
    tickets: list[Tried]
    overshadowed: list[Overshadowed] = []
    is_cut_short: bool = False
    notes: list[str] = []


class Trial:
    """Judges tickets under two rule sets and counts.

    Args:
        roster: who and what is there, with the rules in force.
        rules: on trial.
        mode: of them.

    Raises:
        Invalid: the rules on trial have faults; every one is named.
    """

    def __init__(self, roster: Roster, rules: tuple[RoutingRule, ...], mode: RuleMode) -> None:
        check_rules(roster, rules, mode)
        self._current = roster.book
        self._wanted = RuleBook(rules, mode=mode, calendars=roster.calendars.open_at)
        self._by_rule = Counter({rule.id: 0 for rule in rules if rule.is_enabled})
        self._moved: dict[str, Counter[str]] = {}
        self._counts: Counter[str] = Counter()
        self._shown: list[Tried] = []
        self._shadows = Shadows(self._wanted)

    def judge(self, samples: Iterable[Sample], *, show: int, only_changed: bool) -> None:
        """Judge these too; as many are shown as fit."""
        for sample in samples:
            tried = try_rules(self._current, self._wanted, sample)
            self._count(tried)
            self._shadows.look(sample, tried.outcome.rules)
            if len(self._shown) < show and (tried.changes or tried.doubt or not only_changed):
                self._shown.append(tried)

    def told(self, *, is_cut_short: bool = False, notes: Sequence[str] = ()) -> DryRun:
        """What came of it."""
        return DryRun(
            against_version=self._current.version,
            tickets_count=self._counts["tickets"],
            changed_count=self._counts["changed"],
            unmatched_count=self._counts["unmatched"],
            doubtful_count=self._counts["doubtful"],
            by_rule=dict(self._by_rule),
            moved={now: dict(then) for now, then in sorted(self._moved.items())},
            tickets=self._shown,
            overshadowed=self._shadows.told(),
            is_cut_short=is_cut_short,
            notes=list(notes),
        )

    def _count(self, tried: Tried) -> None:
        self._counts["tickets"] += 1
        self._counts["changed"] += bool(tried.changes)
        self._counts["doubtful"] += tried.doubt is not None
        self._counts["unmatched"] += not tried.outcome.rules
        self._by_rule.update(tried.outcome.rules)
        before, after = tried.before.group or "-", tried.outcome.group or "-"
        if before != after:
            self._moved.setdefault(before, Counter())[after] += 1


class Trials:
    """The questions about rules on trial.

    Args:
        store: whose tables are read.
    """

    def __init__(self, store: EventStore[Any]) -> None:
        self._store = store
        # One at a time: they are pure computing, and live decisions share the processor with them.
        self._turn = asyncio.Semaphore(1)

    async def on_sample(
        self, rules: tuple[RoutingRule, ...], mode: RuleMode, samples: Sequence[Sample]
    ) -> DryRun:
        """On these tickets, every one shown.

        Raises:
            Invalid: the rules have faults.
        """
        async with self._turn:
            roster = await asyncio.to_thread(self._store.transact, tables.load_roster)
            trial = Trial(roster, rules, mode)
            await asyncio.to_thread(trial.judge, samples, show=len(samples), only_changed=False)
            return trial.told()

    async def on_days(
        self,
        rules: tuple[RoutingRule, ...],
        mode: RuleMode,
        days: int,
        *,
        show: int,
        at_most: int = TICKETS_MAX,
    ) -> DryRun:
        """On the tickets that came in the last days, newest first; the first `show` that change are shown.

        No more than about `at_most` are looked at.

        Raises:
            Invalid: the rules have faults.
        """
        async with self._turn:
            roster = await asyncio.to_thread(self._store.transact, tables.load_roster)
            trial = Trial(roster, rules, mode)
            before, since = None, datetime.now(UTC) - timedelta(days=days)
            count = 0
            while count < at_most:
                rows = await asyncio.to_thread(self._read, since, before)
                await asyncio.to_thread(trial.judge, _samples(rows), show=show, only_changed=True)
                count += len(rows)
                if len(rows) < _CHUNK:
                    break
                before = rows[-1]["opened_at"], rows[-1]["ticket_id"]
            return trial.told(
                is_cut_short=count >= at_most,
                notes=_NOTES,
            )

    def _read(self, since: datetime, before: tuple[Any, Any] | None) -> list[dict[str, Any]]:
        def work(tx: Transaction) -> list[dict[str, Any]]:
            return tx.cursor.execute(
                "SELECT ticket_id, number, opened_at, facts::text AS facts,"
                " coalesce(trail->0->>2, (%s::text[])[rank + 1]) AS priority FROM tickets"
                " WHERE opened_at >= %s AND facts IS NOT NULL"
                " AND (%s::timestamptz IS NULL OR (opened_at, ticket_id) < (%s, %s))"
                " ORDER BY opened_at DESC, ticket_id DESC LIMIT %s",
                (
                    [priority.value for priority in PRIORITIES],
                    since,
                    before and before[0],
                    before and before[0],
                    before and before[1],
                    _CHUNK,
                ),
            ).fetchall()

        return self._store.transact(work)


def _samples(rows: Iterable[dict[str, Any]]) -> Iterator[Sample]:
    for row in rows:
        yield Sample(
            id=f"#{row['number']}" if row["number"] is not None else str(row["ticket_id"]),
            facts=_FACTS.decode(row["facts"]),
            priority=Priority(row["priority"]),
            at=row["opened_at"],
            is_body_known=False,
        )
