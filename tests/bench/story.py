"""Lives of tickets as the services would tell them: twelve events each over three topics."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from shared.events import Actor, ActorKind, Channel, Event, Priority, StatusCategory
from shared.events.assignments import Candidate, GroupChanged, TicketAssigned
from shared.events.sla import SlaMet, SlaPolicyApplied, SlaStarted
from shared.events.tickets import (
    AgentReplied,
    Person,
    StatusChanged,
    TicketClosed,
    TicketOpened,
    TicketResolved,
)
from shared.identifiers import derived_id, new_id
from shared.topics import Topic, topic_of
from tests.bench.openings import TEXT

EVENTS_EACH: Final = 12
TOGETHER: Final = 200
"""Tickets whose lives run side by side: between two events of a ticket come those of so many others."""

_AGENT: Final = Actor(ActorKind.AGENT, "agent-1", "Agent 1")
_SYSTEM: Final = Actor(ActorKind.SYSTEM, "routing")
_HOUR: Final = timedelta(hours=1)
_TARGETS: Final = {"first_reply": 4, "resolution": 24}


def lives(count: int) -> Iterator[Event]:
    """All events of `count` tickets, in an order that could have happened."""
    for first in range(0, count, TOGETHER):
        some = [life(number) for number in range(first, min(first + TOGETHER, count))]
        for moment in zip(*some, strict=True):
            yield from moment


def life(number: int) -> Sequence[Event]:
    """One ticket from the request to the end."""
    teller = _Teller(number)
    teller.tell(
        TicketOpened,
        0,
        actor=Actor(ActorKind.CUSTOMER, f"customer-{number % 1_000}", "Carla Rossi"),
        number=number + 1,
        subject=f"Printer {number} prints every page twice",
        message_id=new_id(),
        body=TEXT,
        requester=Person(
            f"customer-{number % 1_000}", "Carla Rossi", "carla@example.org", "Fabrikam"
        ),
        priority=Priority.NORMAL,
        category=StatusCategory.NEW,
        ticket_type="question",
        tags=("floor-3", "printer"),
    )
    teller.tell(SlaPolicyApplied, 0, policy_id="bench", policy_version=1)
    for metric in _TARGETS:
        teller.clock(SlaStarted, 0, metric)
    teller.tell(
        GroupChanged,
        0,
        group_id="service-desk",
        previous_group_id=None,
        mode="rule",
        why="no rule holds, so it goes to the default group",
    )
    teller.assigned()
    teller.tell(AgentReplied, 1, actor=_AGENT, message_id=new_id(), body=TEXT)
    teller.tell(
        StatusChanged,
        1,
        actor=_AGENT,
        category=StatusCategory.ANSWERED,
        previous_category=StatusCategory.NEW,
        cause="agent_replied",
    )
    teller.met(1, "first_reply")
    teller.tell(
        TicketResolved,
        2,
        actor=_AGENT,
        summary="The driver was too old; it is the current one now.",
        previous_category=StatusCategory.ANSWERED,
        resolution_count=1,
    )
    teller.met(2, "resolution")
    teller.tell(TicketClosed, 3, actor=_AGENT, previous_category=StatusCategory.SOLVED)
    return teller.events


class _Teller:
    def __init__(self, number: int) -> None:
        self.ticket_id: UUID = new_id()
        self.events: list[Event] = []
        self._begun = datetime(2026, 3, 2, tzinfo=UTC) + timedelta(seconds=number)
        self._correlation_id = new_id().hex
        self._versions: dict[Topic, int] = {}

    def tell(self, kind: type[Event], hours: int, *, actor: Actor = _SYSTEM, **said: Any) -> None:
        topic = topic_of(str(kind.__struct_config__.tag))
        version = self._versions[topic] = self._versions.get(topic, 0) + 1
        at = self._begun + hours * _HOUR
        self.events.append(
            kind(  # type: ignore[call-arg]  # every kind told here is about a ticket
                version=version,
                occurred_at=at,
                recorded_at=at,
                actor=actor,
                via=Channel.SYSTEM if actor is _SYSTEM else Channel.API,
                correlation_id=self._correlation_id,
                ticket_id=self.ticket_id,
                **said,
            )
        )

    def assigned(self) -> None:
        candidates = tuple(
            Candidate(f"agent-{place}", float(place), 50.0, place / 50) for place in range(10)
        )
        self.tell(
            TicketAssigned,
            0,
            agent_id="agent-1",
            agent_name="Agent 1",
            previous_agent_id=None,
            group_id="service-desk",
            mode="auto",
            strategy="least_loaded",
            decision_id=derived_id("decision", self.ticket_id, 1, 2),
            why="Agent 1 has the least to do of 10 who could take it",
            load_before=1.0,
            load_after=2.0,
            capacity=50.0,
            candidates=candidates,
            candidates_count=10,
            ticket_version=1,
        )

    def clock(self, kind: type[Event], hours: int, metric: str, **said: Any) -> None:
        target = _TARGETS[metric]
        self.tell(
            kind,
            hours,
            metric=metric,
            cycle=1,
            policy_id="bench",
            policy_version=1,
            priority=Priority.NORMAL,
            target_seconds=target * 3_600.0,
            started_at=self._begun,
            due_at=self._begun + target * _HOUR,
            **said,
        )

    def met(self, hours: int, metric: str) -> None:
        self.clock(
            SlaMet,
            hours,
            metric,
            elapsed_seconds=hours * 3_600.0,
            paused_seconds=0.0,
            margin_seconds=(_TARGETS[metric] - hours) * 3_600.0,
            was_breached=False,
        )
