"""One ticket's story out of the log: what happened, who had it, and what was said of its promises then. Pure."""

from bisect import bisect_right
from datetime import datetime
from typing import Final, TypeVar
from uuid import UUID

from services.sla import engine
from services.sla.engine.facts import Created
from services.sla.tickets.facts import fact_of
from services.sla.tickets.states import Row
from shared.events import assignments, sla, tickets
from shared.events.base import TAKING_CAPACITY, Channel, Event
from shared.events.triage import is_of_rules

T = TypeVar("T")

_CycleEvent = (
    sla.SlaStarted
    | sla.SlaResumed
    | sla.SlaDueChanged
    | sla.SlaMet
    | sla.SlaCancelled
    | sla.SlaBreached
    | sla.SlaBreachRetracted
)
"""What is said of clocks that matters afterwards."""

_TAKING: Final = frozenset(category.value for category in TAKING_CAPACITY)


class Past:
    """What really became of one clock."""

    __slots__ = ("agent_id", "breached_at", "due_at", "group_id", "is_cancelled", "met_at")

    def __init__(self) -> None:
        self.breached_at: datetime | None = None
        self.met_at: datetime | None = None
        self.due_at: datetime | None = None
        self.is_cancelled = False
        self.group_id: str | None = None
        self.agent_id: str | None = None

    @property
    def status(self) -> str:
        """`breached`, `met`, `cancelled` or `open`; a breach stays one, also when met later."""
        if self.breached_at is not None:
            return "breached"
        if self.met_at is not None:
            return "met"
        return "cancelled" if self.is_cancelled else "open"


class Story:
    """A ticket while its events are read, stream by stream, each in the order of its versions.

    `ruled`: those of its facts that are there because routing's rules asked for them.
    """

    __slots__ = (
        "_row",
        "agents",
        "facts",
        "groups",
        "is_imported",
        "number",
        "past",
        "ruled",
        "working",
    )

    def __init__(self, ticket_id: UUID) -> None:
        self._row = Row(ticket_id=ticket_id)
        self.facts: list[engine.Fact] = []
        self.ruled: list[engine.Fact] = []
        self.past: dict[tuple[str, int], Past] = {}
        self.agents: list[tuple[datetime, str | None]] = []
        self.groups: list[tuple[datetime, str | None]] = []
        self.working: list[tuple[datetime, bool]] = []
        self.number: int | None = None
        self.is_imported = False

    @property
    def ticket_id(self) -> UUID:
        """Which ticket."""
        return self._row.ticket_id

    @property
    def opened_at(self) -> datetime | None:
        """None: its opening is not in what was read."""
        return self.facts[0].at if self.facts and isinstance(self.facts[0], Created) else None

    def hear(self, event: Event) -> None:
        """Take one event of intake, routing or sla."""
        if isinstance(event, _CycleEvent):
            self._note_past(event)
            return
        if isinstance(event, tickets.TicketOpened):
            if self.facts:
                return
            self.number, self.is_imported = event.number, event.via is Channel.IMPORT
        if isinstance(event, assignments.TicketAssigned):
            self.agents.append((event.occurred_at, event.agent_id))
            self.groups.append((event.occurred_at, event.group_id))
        elif isinstance(event, assignments.TicketUnassigned):
            self.agents.append((event.occurred_at, None))
        elif isinstance(event, assignments.GroupChanged):
            self.groups.append((event.occurred_at, event.group_id))
        if event.OWNER == "routing":
            return  # told in its place by `timeline`, when the opening is known
        fact = fact_of(event, self._row, with_assignments=True)
        if fact is None:
            return
        fact, _ = engine.clamped(fact, known_at=event.recorded_at)
        if isinstance(fact, Created):
            # What later facts are translated with: who asked.
            self._row.state = engine.State(
                category=fact.category, priority=fact.priority, attributes=fact.attributes
            )
        self._note_work(fact)
        self.facts.append(fact)
        if is_of_rules(event):
            self.ruled.append(fact)

    def timeline(self) -> list[engine.Fact]:
        """What happened, in order of time; who had the ticket is told wherever it changed."""
        created = self.facts[0]
        told: list[engine.Fact] = []
        group: str | None = None
        for at, group_id in sorted(self.groups, key=lambda each: each[0]):
            if group_id != group:
                told.append(engine.GroupChanged(at=max(at, created.at), group=group_id))
                group = group_id
        told += [
            engine.Assigned(at=max(at, created.at), assignee=agent) for at, agent in self.agents
        ]
        # Stable: the creation stays first, and intake's word of a moment comes before routing's.
        return sorted([*self.facts, *told], key=lambda fact: fact.at)

    def who_had_it(self, at: datetime) -> tuple[str | None, str | None]:
        """Group and agent at a moment."""
        return _at(self.groups, at), _at(self.agents, at)

    def spans_of_work(self, until: datetime) -> list[tuple[str, datetime, datetime]]:
        """Agent, from, to: while the ticket took room in somebody's hands (R5)."""
        moments = sorted({at for at, _ in self.agents} | {at for at, _ in self.working})
        spans = []
        for place, start in enumerate(moments):
            end = moments[place + 1] if place + 1 < len(moments) else until
            agent = _at(self.agents, start)
            if agent is not None and _at(self.working, start) and start < end:
                spans.append((agent, start, end))
        return spans

    def _note_work(self, fact: engine.Fact) -> None:
        match fact:
            case engine.Created() | engine.StatusChanged() | engine.Reopened() | engine.Unmerged():
                self.working.append((fact.at, fact.category in _TAKING))
            case engine.Resolved() | engine.Closed() | engine.Discarded() | engine.Merged():
                self.working.append((fact.at, False))
            case _:
                pass

    def _note_past(self, event: _CycleEvent) -> None:
        past = self.past.setdefault((event.metric, event.cycle), Past())
        match event:
            case sla.SlaBreached():
                past.breached_at = event.breached_at
                past.group_id, past.agent_id = event.group_id, event.agent_id
            case sla.SlaBreachRetracted(needs_review=False):
                past.breached_at = None
            case sla.SlaMet():
                past.met_at, past.is_cancelled = event.occurred_at, False
            case sla.SlaCancelled():
                past.is_cancelled, past.met_at = True, None
            case sla.SlaStarted() | sla.SlaResumed() | sla.SlaDueChanged():
                past.due_at = event.due_at
                past.met_at, past.is_cancelled = None, False
            case sla.SlaBreachRetracted():
                pass  # a person decides; until then the breach stands (S20)


def _at(changes: list[tuple[datetime, T]], at: datetime) -> T | None:
    """The value of the latest change at or before a moment."""
    place = bisect_right(changes, at, key=lambda change: change[0])
    return changes[place - 1][1] if place else None
