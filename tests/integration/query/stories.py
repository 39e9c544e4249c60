"""Tickets with a past: events of all three topics with right versions, told in few words."""

import random
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from shared.database import Database, Transaction
from shared.events import Actor, Channel, Event, Priority, StatusCategory, encode
from shared.events.assignments import (
    GroupChanged,
    TicketAssigned,
    TicketQueued,
    TicketUnassigned,
)
from shared.events.satisfaction import SatisfactionOffered, SatisfactionRated, Score
from shared.events.sla import (
    SlaBreached,
    SlaBreachRetracted,
    SlaBreachUpheld,
    SlaMet,
    SlaPaused,
    SlaPolicyApplied,
    SlaResumed,
    SlaStarted,
    SlaUnschedulable,
    SlaWarning,
)
from shared.events.tickets import (
    AgentReplied,
    Changed,
    CustomerReplied,
    FieldsChanged,
    NoteAdded,
    Person,
    PriorityChanged,
    StatusChanged,
    TagsChanged,
    TicketClosed,
    TicketOpened,
    TicketReopened,
    TicketResolved,
)
from shared.identifiers import new_id
from shared.messaging.records import Received
from shared.topics import Topic, topic_of
from tests.support.events import ANNA, CARL, NOON

HOUR = timedelta(hours=1)


class Story:
    """One ticket; every method is something that happened `after` hours from noon."""

    def __init__(self, number: int, *, at: datetime = NOON) -> None:
        self.ticket_id: UUID = new_id()
        self.number = number
        self.start = at
        self.events: list[Event] = []
        self.category: StatusCategory | None = None
        self.priority = Priority.NORMAL
        self.group: str | None = None
        self.agent: str | None = None
        self.solved = self.reopened = 0
        self.surveys: list[UUID] = []
        self.score: Score | None = None
        self._versions: dict[Topic, int] = {}

    def tell(self, kind: type[Event], after: float, /, *, by: Actor = ANNA, **said: Any) -> None:
        topic = topic_of(str(kind.__struct_config__.tag))
        version = self._versions[topic] = self._versions.get(topic, 0) + 1
        at = self.start + after * HOUR
        common = {
            "version": version,
            "occurred_at": at,
            "recorded_at": at,
            "actor": by,
            "via": said.pop("via", Channel.API),
            "correlation_id": f"story-{self.number}",
        }
        self.events.append(kind(**common, ticket_id=self.ticket_id, **said))

    def opened(self, **said: Any) -> "Story":
        self.category = said.get("category", StatusCategory.NEW)
        self.priority = said.get("priority", Priority.NORMAL)
        usual = {
            "number": self.number,
            "subject": f"Printer {self.number} is on fire",
            "message_id": new_id(),
            "body": "It really is.",
            "requester": Person("carl", "Carl", "carl@example.org"),
            "priority": self.priority,
            "category": self.category,
        }
        self.tell(TicketOpened, 0, by=CARL, **{**usual, **said})
        return self

    def note(self, after: float, body: str) -> "Story":
        self.tell(NoteAdded, after, message_id=new_id(), body=body)
        return self

    def answer(self, after: float, body: str = "Use water.", **said: Any) -> "Story":
        self.tell(AgentReplied, after, message_id=new_id(), body=body, **said)
        return self

    def ask(self, after: float, body: str = "Still burning.") -> "Story":
        self.tell(CustomerReplied, after, by=CARL, message_id=new_id(), body=body)
        return self

    def move(self, after: float, to: StatusCategory) -> "Story":
        self.tell(StatusChanged, after, category=to, previous_category=self.category)
        self.category = to
        return self

    def prioritise(self, after: float, to: Priority) -> "Story":
        self.tell(PriorityChanged, after, priority=to, previous=self.priority)
        self.priority = to
        return self

    def tag(self, after: float, *tags: str) -> "Story":
        self.tell(TagsChanged, after, tags=tags, added=tags)
        return self

    def fill(self, after: float, **values: Any) -> "Story":
        changes = {name: Changed(value, None) for name, value in values.items()}
        self.tell(FieldsChanged, after, changes=changes)
        return self

    def solve(self, after: float) -> "Story":
        self.solved += 1
        self.tell(
            TicketResolved,
            after,
            summary="put out",
            previous_category=self.category,
            resolution_count=self.solved,
        )
        self.category = StatusCategory.SOLVED
        return self

    def offer(self, after: float) -> "Story":
        """The customer is asked what they think of the newest solution."""
        self.surveys.append(new_id())
        self.score = None
        self.tell(
            SatisfactionOffered,
            after,
            survey_id=self.surveys[-1],
            resolution_count=self.solved,
            expires_at=self.start + (after + 720) * HOUR,
            policy_group="*",
            group_id=self.group,
            agent_id=self.agent,
        )
        return self

    def rate(self, after: float, score: Score, **said: Any) -> "Story":
        self.tell(
            SatisfactionRated,
            after,
            by=CARL,
            survey_id=self.surveys[-1],
            resolution_count=len(self.surveys),
            score=score,
            previous_score=self.score,
            **said,
        )
        self.score = score
        return self

    def close(self, after: float) -> "Story":
        self.tell(TicketClosed, after, previous_category=self.category)
        self.category = StatusCategory.CLOSED
        return self

    def reopen(self, after: float) -> "Story":
        self.reopened += 1
        self.tell(
            TicketReopened,
            after,
            category=StatusCategory.OPEN,
            previous_category=self.category,
            reopen_count=self.reopened,
        )
        self.category = StatusCategory.OPEN
        return self

    def give_group(self, after: float, group: str | None, mode: str = "manual") -> "Story":
        self.tell(
            GroupChanged,
            after,
            group_id=group,
            previous_group_id=self.group,
            mode=mode,
            why="because",
        )
        self.group = group
        return self

    def queue(self, after: float) -> "Story":
        at = self.start + after * HOUR
        self.tell(
            TicketQueued,
            after,
            group_id=self.group,
            queued_at=at,
            priority=self.priority,
            reasons={"offline": 2},
        )
        return self

    def assign(self, after: float, agent: str) -> "Story":
        self.tell(
            TicketAssigned,
            after,
            agent_id=agent,
            agent_name=agent.title(),
            previous_agent_id=self.agent,
            group_id=self.group,
            mode="auto",
            strategy="least_loaded",
            decision_id=new_id(),
            why=f"{agent} has the least to do",
            load_before=0.0,
            load_after=1.0,
        )
        self.agent = agent
        return self

    def unassign(self, after: float) -> "Story":
        self.tell(
            TicketUnassigned,
            after,
            previous_agent_id=self.agent,
            group_id=self.group,
            reason="manual",
        )
        self.agent = None
        return self

    # Promises.

    def promise(self, after: float, metric: str, hours: float, cycle: int = 1) -> "Story":
        if Topic.SLA not in self._versions:
            self.tell(SlaPolicyApplied, after, policy_id="gold", policy_version=3)
        started = self.start + after * HOUR
        self._clock(
            SlaStarted,
            after,
            metric,
            cycle,
            hours,
            started_at=started,
            due_at=started + hours * HOUR,
        )
        return self

    def keep(self, after: float, metric: str, hours: float, *, late: bool = False) -> "Story":
        self._clock(
            SlaMet,
            after,
            metric,
            1,
            hours,
            started_at=self.start,
            due_at=self.start + hours * HOUR,
            elapsed_seconds=after * 3600,
            paused_seconds=0.0,
            margin_seconds=(hours - after) * 3600,
            was_breached=late,
        )
        return self

    def warn(self, after: float, metric: str, hours: float) -> "Story":
        self._clock(
            SlaWarning,
            after,
            metric,
            1,
            hours,
            threshold="80%",
            due_at=self.start + hours * HOUR,
            elapsed_seconds=after * 3600,
            remaining_seconds=(hours - after) * 3600,
            detected_at=self.start + after * HOUR,
        )
        return self

    def pause(self, after: float, metric: str, hours: float) -> "Story":
        spent, left = after * 3600, (hours - after) * 3600
        self._clock(
            SlaPaused, after, metric, 1, hours, elapsed_seconds=spent, remaining_seconds=left
        )
        return self

    def resume(self, after: float, metric: str, hours: float, paused: float) -> "Story":
        spent = (after - paused) * 3600
        self._clock(
            SlaResumed,
            after,
            metric,
            1,
            hours,
            due_at=self.start + (hours + paused) * HOUR,
            elapsed_seconds=spent,
            remaining_seconds=hours * 3600 - spent,
            paused_seconds=paused * 3600,
        )
        return self

    def miss(self, metric: str, hours: float) -> "Story":
        due = self.start + hours * HOUR
        self._clock(
            SlaBreached,
            hours,
            metric,
            1,
            hours,
            breach_id=new_id(),
            started_at=self.start,
            due_at=due,
            breached_at=due,
            detected_at=due,
            elapsed_seconds=hours * 3600,
            paused_seconds=0.0,
            cause="too few agents",
            category="capacity",
        )
        return self

    def retract(self, after: float, metric: str, hours: float) -> "Story":
        due = self.start + hours * HOUR
        self._clock(
            SlaBreachRetracted,
            after,
            metric,
            1,
            hours,
            breach_id=new_id(),
            breached_at=due,
            reason="the reply came late",
        )
        return self

    def doubt(self, metric: str, after: float, hours: float) -> "Story":
        """A fact speaks against the breach, more than a day late."""
        self._clock(
            SlaBreachRetracted,
            after,
            metric,
            1,
            hours,
            breach_id=new_id(),
            breached_at=self.start + hours * HOUR,
            reason="late_fact",
            needs_review=True,
        )
        return self

    def uphold(self, metric: str, after: float, hours: float) -> "Story":
        """A person decided that the breach stands."""
        self._clock(
            SlaBreachUpheld,
            after,
            metric,
            1,
            hours,
            breach_id=new_id(),
            breached_at=self.start + hours * HOUR,
        )
        return self

    def lose_deadline(self, metric: str, after: float) -> "Story":
        """The calendar's new version has too little open time for what is left."""
        self._clock(
            SlaUnschedulable, after, metric, 1, after, started_at=self.start, reason="no_open_time"
        )
        return self

    def _clock(
        self, kind: type[Event], after: float, metric: str, cycle: int, hours: float, **said: Any
    ) -> None:
        self.tell(
            kind,
            after,
            metric=metric,
            cycle=cycle,
            policy_id="gold",
            policy_version=3,
            calendar_id="office",
            calendar_version=1,
            priority=self.priority,
            target_seconds=hours * 3600,
            **said,
        )


def received(events: Iterable[Event]) -> list[Received]:
    """The events as they would come from Kafka."""
    return [
        Received(topic_of(event.wire_type), event.stream_id.int % 4, offset, event, encode(event))
        for offset, event in enumerate(events)
    ]


def shuffled(stories: Sequence[Story], seed: int) -> list[Event]:
    """All events in an order that Kafka may deliver: any, but each stream of each topic in its own order."""
    chance = random.Random(seed)
    streams: dict[tuple[Topic, UUID], list[Event]] = {}
    for story in stories:
        for event in story.events:
            streams.setdefault((topic_of(event.wire_type), event.stream_id), []).append(event)
    waiting = list(streams.values())
    order: list[Event] = []
    while waiting:
        stream = chance.choice(waiting)
        order.append(stream.pop(0))
        if not stream:
            waiting.remove(stream)
    return order


def feed(store: Database, handler: Any, events: Iterable[Event], *, batch: int = 50) -> None:
    """Apply events in batches, each in a transaction as the consumer does it."""
    all_events = received(events)
    for first in range(0, len(all_events), batch):
        part = all_events[first : first + batch]

        def work(tx: Transaction, part: list[Received] = part) -> None:
            handler(tx, part)

        store.transact(work)
