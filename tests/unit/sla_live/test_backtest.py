"""A draft tried on what happened: counted beside it, the same whatever the order, and refused as a policy is."""

import random
from datetime import datetime, timedelta
from typing import Any

import pytest

from services.sla.backtest.question import Question, read_trial
from services.sla.backtest.stories import Story as Heard
from services.sla.backtest.tally import Tally
from shared.errors import Invalid
from shared.events import assignments, sla
from shared.events.base import Event, StatusCategory
from shared.identifiers import new_id
from tests.integration.sla.support import ANNA, NOON, Story

HOUR = timedelta(hours=1)
NOW = NOON + timedelta(days=2)
STANDARD = {"targets": [{"metric": "first_reply", "seconds": 3_600}], "order": 10, "warnings": []}
STRICT = {"id": "standard", **STANDARD, "targets": [{"metric": "first_reply", "seconds": 600}]}


def trial(*drafts: dict[str, Any], **asked: Any) -> Any:
    question = Question(policies=list(drafts), **{"days": 3, **asked})
    return read_trial(question, policies={"standard": (4, STANDARD)}, calendars={}, now=NOW)


def heard(*events: Event) -> Heard:
    story = Heard(events[0].stream_id)
    for event in events:
        story.hear(event)
    return story


def assigned(story: Story, at: datetime, agent: str, version: int = 1) -> Event:
    return assignments.TicketAssigned(
        **{**story._stamp(at, ANNA), "version": version},
        agent_id=agent,
        agent_name=agent,
        previous_agent_id=None,
        group_id="network",
        mode="auto",
        why="w",
        strategy=None,
        decision_id=new_id(),
        load_before=0.0,
        load_after=1.0,
    )


def met(story: Story, at: datetime, **changes: Any) -> Event:
    return sla.SlaMet(
        **{**story._stamp(at, ANNA), "version": 2},
        **{
            "metric": "first_reply",
            "cycle": 1,
            "policy_id": "standard",
            "policy_version": 4,
            "priority": "normal",
            "target_seconds": 3_600,
            "started_at": NOON,
            "due_at": NOON + HOUR,
            "elapsed_seconds": 1.0,
            "paused_seconds": 0.0,
            "margin_seconds": 1.0,
            "was_breached": False,
        }
        | changes,
    )


def a_ticket_answered_after(minutes: int, agent: str = "anna", number: int = 1) -> Heard:
    story = Story(number=number)
    at = NOON + timedelta(minutes=minutes)
    return heard(
        story.opened(NOON), story.agent_replied(at), assigned(story, NOON, agent), met(story, at)
    )


def answer(asked: Any, *stories: Heard) -> dict[str, Any]:
    tally = Tally(asked, asked.rules())
    for story in stories:
        tally.take(story)
    return tally.answer()


def test_a_stricter_draft_breaks_what_was_kept_and_says_where_when_and_in_whose_hands() -> None:
    told = answer(trial(STRICT), a_ticket_answered_after(30), a_ticket_answered_after(5, number=2))
    first = told["metrics"]["first_reply"]
    assert first["happened"] == {
        "met": 2, "breached": 0, "open": 0, "cancelled": 0, "attained_percent": 100.0,
    }  # fmt: skip
    assert first["draft"] == {
        "met": 1, "breached": 1, "open": 0, "cancelled": 0, "attained_percent": 50.0,
    }  # fmt: skip
    assert told["changes"] == {"newly_breached": 1, "no_longer_breached": 0, "otherwise": 0}
    assert told["breaches_by_group"] == {"network": {"draft": 1, "happened": 0}}
    assert told["breaches_by_hour"][12] == {"draft": 1, "happened": 0}
    assert told["breaches_by_load"]["1-4"] == {"draft": 1, "happened": 0}
    (ticket,) = told["tickets"]
    (change,) = ticket["changes"]
    assert (ticket["number"], change["policy_version"]) == (1, 5)
    assert change["breached_at"] == NOON + timedelta(minutes=10)


def test_the_policies_as_they_are_change_nothing_of_what_they_said() -> None:
    told = answer(trial(), a_ticket_answered_after(30))
    assert told["changes"] == {"newly_breached": 0, "no_longer_breached": 0, "otherwise": 0}
    assert told["tickets"] == []


def test_the_hour_is_that_of_the_zone_asked_for() -> None:
    told = answer(trial(STRICT, timezone="Asia/Tokyo"), a_ticket_answered_after(30))
    assert [hour for hour, counts in enumerate(told["breaches_by_hour"]) if counts["draft"]] == [21]


def test_load_counts_what_the_agent_had_in_hand_at_that_moment() -> None:
    others = []
    for number in range(2, 8):
        story = Story(number=number)
        others.append(heard(story.opened(NOON), assigned(story, NOON, "anna")))
    solved = Story(number=9)
    early = heard(
        solved.opened(NOON), assigned(solved, NOON, "anna"), solved.resolved(NOON + HOUR / 60)
    )
    told = answer(trial(STRICT), a_ticket_answered_after(30), *others, early)
    # Seven tickets open at ten past, each of them late; the eighth was solved within a minute.
    assert told["breaches_by_load"]["5-9"]["draft"] == 7
    pending = Story(number=10)
    waits = heard(
        pending.opened(NOON),
        assigned(pending, NOON, "ben"),
        pending.status(NOON, StatusCategory.PENDING),
    )
    assert waits.spans_of_work(NOW) == [], "a ticket that waits for its customer takes no room"


def test_the_answer_is_the_same_in_any_order() -> None:
    def stories() -> list[Heard]:
        made = []
        for number in range(1, 30):
            story = Story(number=number)
            story.ticket_id = type(story.ticket_id)(int=number)
            at = NOON + timedelta(minutes=number)
            agent = "anna" if number % 3 else "ben"
            made.append(
                heard(story.opened(NOON), story.agent_replied(at), assigned(story, NOON, agent))
            )
        return made

    shuffled = stories()
    random.Random(7).shuffle(shuffled)
    assert answer(trial(STRICT), *stories()) == answer(trial(STRICT), *shuffled)


def test_what_was_opened_before_the_window_is_counted_as_unknown_and_not_judged() -> None:
    orphan = Story()
    orphan.opened(NOON)
    told = answer(trial(STRICT), heard(orphan.agent_replied(NOON)))
    assert told["tickets_count"] == 0
    assert told["unknown"]["older_tickets_count"] == 1


def test_conditions_on_the_group_see_who_had_the_ticket_then() -> None:
    vip = {
        "id": "vip",
        **STRICT,
        "order": 1,
        "conditions": {"all": [{"field": "group", "value": "network"}]},
    }
    told = answer(trial(vip), a_ticket_answered_after(30))
    assert told["metrics"]["first_reply"]["draft"]["breached"] == 1


@pytest.mark.parametrize(
    ("draft", "field"),
    [
        ({"targets": []}, "policies[0].id"),
        (
            {"id": "p", "targets": [{"metric": "sleep", "seconds": 1}]},
            "policies[0].targets[0].metric",
        ),
        (
            {"id": "p", "targets": [{"metric": "resolution", "seconds": 1, "calendar_id": "c"}]},
            "policies[0].targets[0].calendar_id",
        ),
        (
            {
                "id": "p",
                "targets": [],
                "conditions": {"all": [{"field": "weather", "value": "rain"}]},
            },
            "policies[0].conditions.all[0].field",
        ),
    ],
)
def test_a_draft_is_refused_as_the_policy_would_be(draft: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        trial(draft)
    assert [error.field for error in refused.value.errors] == [field]


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"until": NOW + HOUR}, "until"),
        ({"until": datetime(2026, 3, 1)}, "until"),  # noqa: DTZ001 - that it is naive is the point
        ({"calendars": {"c": {"timezone": "UTC"}}}, "calendars.c.hours"),
    ],
)
def test_a_question_that_makes_no_sense_names_the_field(asked: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        trial(STRICT, **asked)
    assert [error.field for error in refused.value.errors] == [field]


def test_a_breach_that_was_taken_back_did_not_happen() -> None:
    story = Story()
    common = {
        "metric": "first_reply", "cycle": 1, "policy_id": "standard", "policy_version": 4,
        "priority": "normal", "target_seconds": 3_600.0, "breach_id": new_id(),
        "breached_at": NOON + HOUR,
    }  # fmt: skip
    breach = sla.SlaBreached(
        **{**story._stamp(NOON + HOUR, ANNA), "version": 2},
        **common,
        started_at=NOON,
        due_at=NOON + HOUR,
        detected_at=NOON + HOUR,
        elapsed_seconds=3_600.0,
        paused_seconds=0.0,
        cause="time_passed",
        category="new",
    )
    back = sla.SlaBreachRetracted(
        **{**story._stamp(NOON + 2 * HOUR, ANNA), "version": 3}, **common, reason="agent_replied"
    )
    told = heard(story.opened(NOON), breach, back)
    assert told.past["first_reply", 1].status == "open"
    assert heard(story.opened(NOON), breach).past["first_reply", 1].status == "breached"
