"""Random tickets with a past, among people who change as well."""

import random
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from shared.events import Channel, Event, Priority, StatusCategory
from shared.events.agents import AgentDefined, AgentProfile
from shared.events.contacts import (
    Contact,
    ContactDefined,
    ContactMerged,
    ContactMergeReceived,
    ContactUnmerged,
)
from shared.events.tickets import (
    Changed,
    FieldsChanged,
    Person,
    SubjectChanged,
    TicketClosed,
    TicketMerged,
    TicketUnmerged,
    TypeChanged,
)
from shared.identifiers import new_id
from tests.integration.query.stories import Story, shuffled
from tests.integration.query_past.replay import ENDED
from tests.support.events import ANNA, NOON, stamp

OPEN = [
    StatusCategory.OPEN, StatusCategory.ANSWERED, StatusCategory.PENDING, StatusCategory.HOLD, StatusCategory.NEW,
]  # fmt: skip
WORDS = ["printer", "scanner", "toner", "cable"]
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class World:
    """`lives`: ticket id → its events; `others`: what happened to agents and customers."""

    stories: list[Story]
    others: list[Event]

    @property
    def lives(self) -> dict[str, list[Event]]:
        return {str(story.ticket_id): story.events for story in self.stories}

    def events(self, seed: int) -> list[Event]:
        """All of them in an order that Kafka may deliver."""
        return self.others + shuffled(self.stories, seed)


def a_world(seed: int, *, count: int = 25, steps_back: bool = False) -> World:
    """Tickets whose events lie in four days; many share an instant. `steps_back`: as imports and late facts do."""
    chance = random.Random(seed)
    stories = [_a_life(chance, number, steps_back=steps_back) for number in range(1, count + 1)]
    return World(stories, [*_agents(), *_contacts()])


def _a_life(chance: random.Random, number: int, *, steps_back: bool) -> Story:
    story = Story(number, at=NOON + chance.randrange(48) * HOUR)
    story.opened(
        priority=chance.choice(list(Priority)),
        category=chance.choice([StatusCategory.NEW, StatusCategory.CLOSED])
        if number % 9 == 0
        else StatusCategory.NEW,
        body=chance.choice(WORDS),
        tags=tuple(chance.sample(["vip", "old", "new"], chance.randrange(3))),
        fields=_fields(chance),
        ticket_type=chance.choice([None, "incident", "question"]),
        language=chance.choice([None, "de"]),
        external_id=f"INC{number}",
        via=chance.choice([Channel.EMAIL, Channel.CHAT]),
        requester=Person(
            chance.choice(["carl", "mailto:carl@example.org", "dora"]),
            organization=chance.choice([None, "acme"]),
        ),
    )
    clocks, hours = _Clocks(chance, story), 0.0
    for _ in range(chance.randrange(16)):
        hours += chance.choice([0, 0.5, 1, 1, 5])
        at = max(hours - 2, 0) if steps_back and chance.random() < 0.2 else hours
        match chance.randrange(4):
            case 0:
                _routed(chance, story, at, hours)
            case 1:
                _said(chance, story, at)
            case 2:
                _moved(chance, story, at)
            case _:
                clocks.go_on(at)
    return story


def _moved(chance: random.Random, story: Story, at: float) -> None:
    match chance.randrange(5):
        case 0 | 1 if story.category in ENDED:
            _came_back(chance, story, at)
        case 0:
            story.solve(at)
        case 1 if chance.random() < 0.4:
            other = {"into_ticket_id": new_id(), "into_number": 99}
            story.tell(TicketMerged, at, previous_category=story.category, **other)
            story.category = StatusCategory.CLOSED
        case 2 if story.category == "solved":
            story.close(at)
        case 2 if chance.random() < 0.3 and story.category not in ENDED:
            story.tell(TicketClosed, at, previous_category=story.category, reason="spam")
            story.category = StatusCategory.CLOSED
        case 3:
            story.prioritise(at, chance.choice(list(Priority)))
        case _ if story.category not in ENDED:
            story.move(at, chance.choice(OPEN))


def _came_back(chance: random.Random, story: Story, at: float) -> None:
    merges = [event for event in story.events if isinstance(event, TicketMerged | TicketUnmerged)]
    if merges and isinstance(merges[-1], TicketMerged):
        other = {"from_ticket_id": merges[-1].into_ticket_id, "from_number": 99}
        was, story.category = story.category, chance.choice(OPEN)
        story.tell(TicketUnmerged, at, category=story.category, previous_category=was, **other)
    else:
        story.reopen(at)


def _routed(chance: random.Random, story: Story, at: float, hours: float) -> None:
    if chance.random() < 0.4:
        story.give_group(at, chance.choice(["desk", "billing", None]))
    elif story.agent is not None and chance.random() < 0.4:
        story.unassign(hours)
    else:
        story.assign(hours, chance.choice(["anna", "berta"]))


def _said(chance: random.Random, story: Story, at: float) -> None:
    word = chance.choice(WORDS)
    match chance.randrange(6):
        case 0:
            story.note(at, word)
        case 1:
            story.ask(at, word)
        case 2:
            story.tell(SubjectChanged, at, subject=word, previous="")
        case 3:
            story.tag(at, *chance.sample(["vip", "old", "new", "hot"], chance.randrange(3)))
        case 4:
            before = _values(story)
            changed = _fields(chance) | dict.fromkeys(
                chance.sample(sorted(before), len(before) // 2)
            )
            changes = {
                name: Changed(value, before.get(name))
                for name, value in changed.items()
                if value != before.get(name)
            }
            story.tell(FieldsChanged, at, changes=changes)
        case _:
            wanted = chance.choice([None, "incident", "question"])
            story.tell(TypeChanged, at, ticket_type=wanted, previous=None)


def _fields(chance: random.Random) -> dict[str, Any]:
    """Some of: a number, a choice of several, a text, a date, and one that has only ever been lost again."""
    said = {
        "cost": chance.choice([5, 10, 10.5, 200]),
        "parts": chance.sample(["fuser", "drum", "tray"], chance.randrange(1, 3)),
        "site": chance.choice(["Köln", "Jena"]),
        "seen": chance.choice(["2026-03-01", "2026-03-02"]),
        "safe": chance.choice([True, False]),
    }
    return {name: said[name] for name in chance.sample(sorted(said), chance.randrange(4))}


def _values(story: Story) -> dict[str, Any]:
    """The fields as the ticket's newest event left them."""
    values: dict[str, Any] = {}
    for event in story.events:
        if isinstance(event, FieldsChanged):
            values |= {name: change.value for name, change in event.changes.items()}
        values |= getattr(event, "fields", {})
    return {name: value for name, value in values.items() if value is not None}


class _Clocks:
    """The promises of one ticket, all made at its opening; each goes on only as a clock can."""

    def __init__(self, chance: random.Random, story: Story) -> None:
        self._chance, self._story = chance, story
        self._hours = {metric: chance.choice([1, 3, 8]) for metric in ("first_reply", "resolution")}
        self._states = dict.fromkeys(self._hours, "running")
        for metric, hours in self._hours.items():
            story.promise(0, metric, hours)

    def go_on(self, at: float) -> None:
        chance, story = self._chance, self._story
        metric = chance.choice(sorted(self._hours))
        hours, is_missed = self._hours[metric], f"missed {metric}" in self._states
        match self._states[metric], chance.choice(["warn", "judge", "judge", "pause", "keep"]):
            case "running", "warn":
                story.warn(at, metric, hours)
            case _, "judge" if is_missed:
                story.retract(max(at, hours), metric, hours)
                del self._states[f"missed {metric}"]
            case "running", "judge":
                story.miss(metric, hours)
                self._states[f"missed {metric}"] = "yes"
            case "running", "pause":
                story.pause(at, metric, hours)
                self._states[metric] = "paused"
            case "paused", "pause" | "warn":
                story.resume(at, metric, hours, paused=1)
                self._states[metric] = "running"
            case "running", "keep":
                story.keep(at, metric, hours)
                self._states[metric] = "met"


def _agents() -> list[Event]:
    """Anna is moved about; Berta comes later."""
    moves = [
        ("anna", 0, ("desk",)),
        ("anna", 20, ("desk", "billing")),
        ("anna", 50, ("billing",)),
        ("anna", 70, ()),
    ]
    events: list[Event] = []
    for agent, hours, groups in [*moves, ("berta", 30, ("desk",))]:
        version = 1 + sum(event.agent_id == agent for event in events)  # type: ignore[attr-defined]
        profile = AgentProfile(name=agent.title(), groups=groups)
        said = {"agent_id": agent, "profile": profile}
        events.append(AgentDefined(**stamp(version, NOON + hours * HOUR, ANNA), **said))
    return events


def _contacts() -> list[Event]:
    """Carl's address becomes known; for a day he is taken for Dora."""
    carl, dora = new_id(), new_id()
    login, whole = (
        Contact(logins=("carl",)),
        Contact(logins=("carl",), emails=("carl@example.org",)),
    )
    alone = Contact(logins=("dora",))
    both = Contact(logins=("dora", "carl"), emails=("carl@example.org",))

    def at(version: int, hours: float) -> dict[str, Any]:
        return stamp(version, NOON + hours * HOUR, ANNA)

    return [
        ContactDefined(**at(1, -5), contact_id=carl, contact=login),
        ContactDefined(**at(1, -5), contact_id=dora, contact=alone),
        ContactDefined(**at(2, 15), contact_id=carl, contact=whole, previous=login),
        ContactMergeReceived(
            **at(2, 40), contact_id=dora, from_contact_id=carl, contact=both, previous=alone
        ),
        ContactMerged(**at(3, 40), contact_id=carl, into_contact_id=dora, contact=whole),
        ContactUnmerged(**at(4, 64), contact_id=carl, from_contact_id=dora, contact=whole),
        ContactDefined(**at(3, 64), contact_id=dora, contact=alone, previous=both),
    ]
