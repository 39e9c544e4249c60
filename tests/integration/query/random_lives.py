"""Lives that chance writes: tickets to which anything happens, and agents who come and go."""

import random
from datetime import datetime
from typing import Any

from shared.events import Event, Priority, StatusCategory
from shared.events.agents import AgentDefined, AgentPresenceChanged, AgentProfile, Presence
from shared.events.satisfaction import Score
from tests.integration.query.stories import HOUR, Story
from tests.support.events import ANNA, NOON, stamp


def random_life(number: int, seed: int, *, start: datetime | None = None, **opened: Any) -> Story:
    """A ticket that lived through anything a ticket may live through.

    It begins within 200 hours of `start` (usually: of noon); `opened` says more of its opening.
    """
    chance = random.Random(seed)
    story = Story(number, at=(start or NOON) + chance.randrange(200) * HOUR).opened(**opened)
    story.give_group(0, "desk", "rule").promise(0, "resolution", 4)
    clock = 0.0
    for _ in range(chance.randrange(2, 14)):
        clock += chance.choice([0.0, 0.25, 1.0, 5.0])
        _live_on(story, chance, clock)
    return story


def _live_on(  # noqa: C901, PLR0912  # one arm per deed
    story: Story, chance: random.Random, clock: float
) -> None:
    is_over = story.category in {StatusCategory.SOLVED, StatusCategory.CLOSED}
    deeds = ["note", "tag"] if is_over else ["note", "ask", "answer", "move", "prioritise", "solve"]
    deeds += (
        ["reopen", "close", "judge", "judge"]
        if is_over
        else ["group", "assign", "unassign", "close"]
    )
    match chance.choice(deeds):
        case "note":
            story.note(clock, chance.choice(["hm", "odd"]))
        case "tag":
            story.tag(clock, "a", "b")
        case "ask":
            story.ask(clock)
        case "answer":
            story.answer(clock, is_automatic=chance.random() < 0.3)
        case "move":
            to = chance.choice([StatusCategory.PENDING, StatusCategory.HOLD, StatusCategory.OPEN])
            if to != story.category:
                story.move(clock, to)
        case "prioritise":
            story.prioritise(clock, chance.choice(list(Priority)))
        case "solve":
            story.solve(clock)
        case "close" if story.category is not StatusCategory.CLOSED:
            story.close(clock)
        case "judge" if len(story.surveys) < story.solved:
            story.offer(clock)
        case "judge" if story.surveys:
            story.rate(
                clock,
                chance.choice(list(Score)),
                comment=chance.choice([None, "thanks"]),
                reason=chance.choice([None, "slow"]),
            )
        case "reopen":
            story.reopen(clock)
        case "group":
            group = chance.choice(["desk", "network", None])
            if group != story.group:
                story.give_group(clock, group)
        case "assign":
            story.assign(clock, chance.choice(["anna", "bob"]))
        case "unassign" if story.agent:
            story.unassign(clock)


def agent_life(agent: str, seed: int, *, capacity: float | None = 4.0) -> list[Event]:
    """An agent who is defined and then comes and goes, the last time away from the desk."""
    chance = random.Random(f"{agent} {seed}")
    at = NOON
    events: list[Event] = [
        AgentDefined(
            **stamp(1, at, ANNA),
            agent_id=agent,
            profile=AgentProfile(name=agent.title(), groups=("desk",), capacity=capacity),
        )
    ]
    presence = Presence.OFFLINE
    for _ in range(chance.randrange(2, 9)):
        at += chance.choice([0.5, 3.0, 20.0]) * HOUR
        to = chance.choice([one for one in Presence if one is not presence])
        events.append(_presence(agent, len(events) + 1, at, to, presence))
        presence = to
    if presence is Presence.ONLINE:
        events.append(_presence(agent, len(events) + 1, at + HOUR, Presence.AWAY, presence))
    return events


def _presence(
    agent: str, version: int, at: datetime, to: Presence, before: Presence
) -> AgentPresenceChanged:
    return AgentPresenceChanged(
        **stamp(version, at, ANNA), agent_id=agent, presence=to, previous=before
    )
