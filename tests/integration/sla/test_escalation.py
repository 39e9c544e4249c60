"""Ladders and pages on real tables: steps fire once at their moment, pages climb, nobody is called twice."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.sla.alerts import log
from services.sla.oncall import rotas
from shared.errors import Invalid
from shared.events import assignments, base, sla
from shared.events.base import Channel, Event, Priority, StatusCategory
from shared.events.tickets import PriorityChanged
from shared.eventstore import EventStore
from shared.identifiers import new_id
from tests.integration.sla.support import ADMIN_ORIGIN, ANNA, NOON, Desk, Story

pytestmark = pytest.mark.integration
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)

PAGE = {
    "levels": [
        {"rota": "first", "acknowledge_within_seconds": 300},
        {"rota": "second", "acknowledge_within_seconds": 600},
    ]
}


def a_ladder(*steps: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"escalation": [{"metric": "first_reply", "steps": list(steps)} | changes]}


def a_rota(desk: Desk, name: str, *members: str, hours: dict[str, Any] | None = None) -> None:
    layer: dict[str, Any] = {"name": "all", "members": list(members), "starts_on": "2026-01-05"}
    if hours is not None:
        layer["hours"] = hours
    document = {"name": name, "timezone": "Europe/Berlin", "layers": [layer]}
    desk.store.transact(lambda tx: rotas.define_rota(tx, name, document, origin=ADMIN_ORIGIN))


def later(**by: float) -> datetime:
    """A moment after now: pages climb by the clock on the wall."""
    return datetime.now(UTC) + timedelta(**by)


def told(desk: Desk, story: Story, kind: type[Event]) -> list[Any]:
    return [event for event in desk.told(story.ticket_id) if isinstance(event, kind)]


def alerts(desk: Desk, story: Story) -> list[dict[str, Any]]:
    found = desk.store.transact(lambda tx: log.list_alerts(tx, ticket_id=story.ticket_id))
    return [alert for alert in reversed(found) if alert["metric"] == "first_reply"]


def assigned(story: Story, at: datetime, agent: str, mode: str) -> assignments.TicketAssigned:
    return assignments.TicketAssigned(
        **base.Stamp(
            version=1,
            occurred_at=at,
            recorded_at=at,
            actor=ANNA,
            via=Channel.API,
            correlation_id="c",
            causation_id=None,
        ),
        ticket_id=story.ticket_id,
        agent_id=agent,
        agent_name=None,
        previous_agent_id=None,
        group_id="technical",
        mode=mode,
        strategy=None,
        decision_id=new_id(),
        why="",
        load_before=0,
        load_after=1,
    )


def test_steps_fire_before_at_and_after_the_deadline_each_once_and_in_order(desk: Desk) -> None:
    desk.policy(
        **a_ladder(
            {"percent": 50, "raise_priority": "next"},
            {"seconds_before": 600, "notify": ["assignee", "role:supervisor"]},
            {"seconds_after": 0, "move_to_group": "technical"},
            {"seconds_after": 900, "raise_priority": "urgent"},
        )
    )
    story = Story()
    desk.hear(story.opened(NOON))
    for minute in range(90):
        desk.time_is(NOON + minute * MINUTE)
        desk.time_is(NOON + minute * MINUTE)
    steps = told(desk, story, sla.SlaEscalationStep)
    assert [(step.step, step.planned_at) for step in steps] == [
        (1, NOON + 30 * MINUTE),
        (2, NOON + 50 * MINUTE),
        (3, NOON + 60 * MINUTE),
        (4, NOON + 75 * MINUTE),
    ]
    assert [step.raise_priority for step in steps] == [Priority.HIGH, None, None, Priority.URGENT]
    assert steps[1].notified == ("role:supervisor",), "nobody has it yet"
    assert steps[2].move_to_group == "technical"
    (alert,) = alerts(desk, story)
    assert (alert["targets"], alert["step"], alert["kind"]) == (["role:supervisor"], "2", "warning")
    assert len(desk.breaches(story.ticket_id)) == 1


def test_business_steps_wait_for_opening_and_calendar_steps_do_not(desk: Desk) -> None:
    hours = {day: [["09:00", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}
    desk.calendar("office", timezone="UTC", hours=hours)
    desk.policy(
        targets=[{"metric": "first_reply", "seconds": 3_600, "calendar_id": "office"}],
        escalation=[
            {
                "metric": "first_reply",
                "steps": [
                    {"seconds_after": 1_800, "time": "calendar", "notify": ["role:supervisor"]},
                    {"seconds_after": 1_800, "raise_priority": "high"},
                ],
            }
        ],
    )
    story = Story()
    opened = datetime(2026, 3, 2, 16, 0, tzinfo=UTC)  # due at closing time
    desk.hear(story.opened(opened))
    desk.time_is(opened + 40 * HOUR)
    assert [step.planned_at for step in told(desk, story, sla.SlaEscalationStep)] == [
        datetime(2026, 3, 2, 17, 30, tzinfo=UTC),
        datetime(2026, 3, 3, 9, 30, tzinfo=UTC),
    ]


def test_a_reply_in_time_stops_the_ladder_and_a_pause_holds_it(desk: Desk) -> None:
    desk.policy(
        targets=[
            {"metric": "first_reply", "seconds": 3_600},
            {"metric": "resolution", "seconds": 7_200},
        ],
        escalation=[{"steps": [{"percent": 50, "notify": ["role:supervisor"]}]}],
    )
    story = Story()
    desk.hear(story.opened(NOON))
    desk.hear(story.agent_replied(NOON + 20 * MINUTE))
    desk.hear(story.status(NOON + 30 * MINUTE, StatusCategory.PENDING))
    desk.time_is(NOON + 5 * HOUR)
    assert told(desk, story, sla.SlaEscalationStep) == []
    desk.hear(story.status(NOON + 6 * HOUR, StatusCategory.OPEN))
    desk.time_is(NOON + 6 * HOUR + 29 * MINUTE)
    assert told(desk, story, sla.SlaEscalationStep) == []
    desk.time_is(NOON + 6 * HOUR + 31 * MINUTE)
    (step,) = told(desk, story, sla.SlaEscalationStep)
    assert (step.metric, step.planned_at) == ("resolution", NOON + 6 * HOUR + 30 * MINUTE)


def test_a_breach_taken_back_ends_its_page_and_the_next_one_pages_again(desk: Desk) -> None:
    a_rota(desk, "first", "ada")
    a_rota(desk, "second", "bob")
    ladder = a_ladder({"percent": 50, "raise_priority": "next"}, {"seconds_after": 0, "page": PAGE})
    desk.policy(metrics={"first_reply": {"pauses": ["pending"]}}, **ladder)
    story = Story()
    desk.hear(story.opened(NOON))
    desk.time_is(NOON + 2 * HOUR)
    assert [page.agent_id for page in told(desk, story, sla.SlaPaged)] == ["ada"]
    # A pause of that time is heard of: there was no breach, and nobody is needed.
    desk.hear(story.status(NOON + HOUR / 2, StatusCategory.PENDING))
    (ended,) = told(desk, story, sla.SlaPageEnded)
    assert ended.reason == "retracted"
    desk.time_is(later(hours=1))
    assert len(told(desk, story, sla.SlaPaged)) == 1, "the second level sleeps on"
    desk.hear(story.status(NOON + 3 * HOUR, StatusCategory.OPEN))
    desk.time_is(NOON + 4 * HOUR)
    assert [page.agent_id for page in told(desk, story, sla.SlaPaged)] == ["ada", "ada"]
    steps = told(desk, story, sla.SlaEscalationStep)
    assert [(step.step, step.planned_at) for step in steps] == [
        (1, NOON + HOUR / 2),
        (2, NOON + HOUR),
        (2, NOON + HOUR * 7 / 2),
    ]


def test_after_an_outage_every_step_fires_once_and_one_page_goes_out(desk: Desk) -> None:
    a_rota(desk, "first", "anna")
    a_rota(desk, "second", "ben")
    desk.policy(
        **a_ladder(
            {"percent": 50, "notify": ["role:supervisor"]},
            {"seconds_after": 0, "page": PAGE},
            {"seconds_after": 600, "raise_priority": "urgent", "page": PAGE},
            {"seconds_after": 900, "move_to_group": "technical"},
        )
    )
    story = Story()
    desk.hear(story.opened(NOON))
    desk.time_is(NOON + 5 * HOUR)
    steps = told(desk, story, sla.SlaEscalationStep)
    assert [(s.step, s.is_silent, s.pages) for s in steps] == [
        (1, True, False),
        (2, True, False),
        (3, False, True),
        (4, False, False),
    ]
    (breach,) = desk.breaches(story.ticket_id)
    assert breach.breached_at == NOON + HOUR
    (page,) = told(desk, story, sla.SlaPaged)
    assert (page.agent_id, page.step) == ("anna", 3)
    assert [alert["targets"] for alert in alerts(desk, story)] == [["agent:anna"]]


def paged(desk: Desk, **changes: Any) -> Story:
    """A ticket whose deadline has passed and whose page has gone out to Anna."""
    a_rota(desk, "first", "anna")
    a_rota(desk, "second", "ben")
    desk.policy(**a_ladder({"seconds_after": 0, "page": PAGE}, **changes))
    story = Story()
    desk.hear(story.opened(NOON))
    desk.time_is(NOON + 2 * HOUR)
    return story


def test_a_page_climbs_until_nobody_is_left_and_then_everybody_is_told(desk: Desk) -> None:
    story = paged(desk)
    desk.time_is(later(seconds=290))
    assert [page.agent_id for page in told(desk, story, sla.SlaPaged)] == ["anna"]
    desk.time_is(later(seconds=301))
    pages = told(desk, story, sla.SlaPaged)
    assert [(page.agent_id, page.level) for page in pages] == [("anna", 1), ("ben", 2)]
    desk.time_is(later(seconds=1_000))
    desk.time_is(later(seconds=100_000))
    (unanswered,) = told(desk, story, sla.SlaPageUnanswered)
    assert unanswered.pages_count == 2
    assert [alert["targets"] for alert in alerts(desk, story)] == [
        ["agent:anna"],
        ["agent:ben"],
        [],
    ]
    assert len({alert["dedupe_key"] for alert in alerts(desk, story)}) == 1


def test_an_acknowledgement_stops_ladder_and_page_and_says_who(desk: Desk) -> None:
    story = paged(desk)

    def acknowledge(tx: Any) -> None:
        desk.judging.acknowledge(tx, story.ticket_id, "first_reply", 1, origin=ADMIN_ORIGIN)

    desk.store.transact(acknowledge)
    desk.store.transact(acknowledge)
    desk.time_is(later(hours=5))
    (acknowledged,) = told(desk, story, sla.SlaPageAcknowledged)
    assert (acknowledged.actor.id, acknowledged.how) == ("root", "acknowledged")
    assert len(told(desk, story, sla.SlaPaged)) == 1
    (alert,) = alerts(desk, story)
    assert (alert["state"], alert["acknowledged_by"]) == ("acknowledged", "root")
    desk.hear(story.agent_replied(NOON + 3 * HOUR))
    (ended,) = told(desk, story, sla.SlaPageEnded)
    assert ended.reason == "met"
    assert alerts(desk, story)[0]["state"] == "resolved"


@pytest.mark.parametrize(("mode", "stops"), [("manual", True), ("pull", True), ("auto", False)])
def test_taking_the_ticket_answers_the_page_where_the_ladder_says_so(
    desk: Desk, mode: str, stops: bool
) -> None:
    story = paged(desk, acknowledged_by=["assigned"])
    desk.hear(assigned(story, NOON + 2 * HOUR, "mia", mode))
    desk.time_is(later(seconds=400))
    answers = told(desk, story, sla.SlaPageAcknowledged)
    assert [(one.actor.id, one.how) for one in answers] == ([("mia", "assigned")] if stops else [])
    assert len(told(desk, story, sla.SlaPaged)) == (1 if stops else 2)


def test_a_level_where_nobody_is_on_call_is_told_and_passed_over_at_once(desk: Desk) -> None:
    yesterday = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")[
        (datetime.now(UTC) - timedelta(days=2)).weekday()
    ]
    a_rota(desk, "first", "anna", hours={yesterday: [["10:00", "10:01"]]})
    a_rota(desk, "second", "ben")
    desk.policy(**a_ladder({"seconds_after": 0, "page": PAGE}))
    story = Story()
    desk.hear(story.opened(NOON))
    desk.time_is(NOON + 2 * HOUR)
    pages = told(desk, story, sla.SlaPaged)
    assert [(page.agent_id, page.rota_id) for page in pages] == [(None, "first"), ("ben", "second")]
    assert [alert["targets"] for alert in alerts(desk, story)] == [["agent:ben"]]


def test_a_shorter_target_moves_the_steps_and_none_fires_twice(desk: Desk) -> None:
    desk.policy(
        targets=[
            {"metric": "first_reply", "priority": "urgent", "seconds": 1_800},
            {"metric": "first_reply", "seconds": 7_200},
        ],
        **a_ladder(
            {"percent": 25, "raise_priority": "urgent"},
            {"percent": 50, "notify": ["role:supervisor"]},
            {"percent": 150, "move_to_group": "technical"},
        ),
    )
    story = Story()
    desk.hear(story.opened(NOON))
    desk.time_is(NOON + 31 * MINUTE)  # 25 % of two hours
    change = story.status(NOON, StatusCategory.OPEN)  # its place in the stream
    stamp = {name: getattr(change, name) for name in base.Stamp.__annotations__}
    stamp |= {"occurred_at": NOON + 31 * MINUTE, "recorded_at": NOON + 31 * MINUTE}
    desk.hear(
        PriorityChanged(
            **stamp,
            ticket_id=story.ticket_id,
            priority=Priority.URGENT,
            previous=Priority.NORMAL,
        )
    )
    desk.time_is(NOON + 40 * MINUTE)
    desk.time_is(NOON + 50 * MINUTE)
    steps = told(desk, story, sla.SlaEscalationStep)
    assert [(s.step, s.planned_at) for s in steps] == [
        (1, NOON + 30 * MINUTE),
        (2, NOON + 15 * MINUTE),
        (3, NOON + 45 * MINUTE),
    ]


def test_imported_history_climbs_without_calling_anybody(desk: Desk) -> None:
    a_rota(desk, "first", "anna")
    a_rota(desk, "second", "ben")
    desk.policy(**a_ladder({"seconds_after": 0, "page": PAGE}))
    story = Story(via=Channel.IMPORT)
    desk.hear(story.opened(NOON))
    with desk.store._sync.connection() as connection:
        connection.execute("UPDATE ticket_states SET next_due = held_due, held_due = NULL")
    desk.time_is(NOON + 5 * HOUR)
    story.via = Channel.EMAIL
    desk.hear(story.customer_replied(NOON + 6 * HOUR))
    desk.time_is(NOON + 7 * HOUR)
    assert told(desk, story, sla.SlaEscalationStep) == []
    assert alerts(desk, story) == []


def test_two_processes_share_the_steps_and_no_page_goes_out_twice(
    stores: Callable[[], EventStore[Any]], settings: Any
) -> None:
    one, other = Desk(stores(), settings), Desk(stores(), settings)
    a_rota(one, "first", "anna")
    a_rota(one, "second", "ben")
    one.policy(**a_ladder({"seconds_after": 0, "page": PAGE}))
    stories = [Story(number=number) for number in range(1, 31)]
    for story in stories:
        one.hear(story.opened(NOON))

    def fire(desk: Desk) -> int:
        fired = 0
        while done := desk.time_is(NOON + 2 * HOUR, limit=3):
            fired += done
        return fired

    with ThreadPoolExecutor(2) as threads:
        counts = list(threads.map(fire, (one, other)))
    assert sum(counts) == len(stories)
    for story in stories:
        assert len(told(one, story, sla.SlaEscalationStep)) == 1
        assert len(told(one, story, sla.SlaPaged)) == 1
        versions = [event.version for event in one.told(story.ticket_id)]
        assert versions == list(range(1, len(versions) + 1))


@pytest.mark.parametrize(
    ("ladder", "field"),
    [
        ({"metric": "mood", "steps": [{"percent": 5, "notify": ["lead"]}]}, "escalation[0].metric"),
        ({"steps": []}, "escalation[0].steps"),
        ({"steps": [{"percent": 5}]}, "escalation[0].steps[0]"),
        ({"steps": [{"notify": ["lead"]}]}, "escalation[0].steps[0]"),
        ({"steps": [{"percent": 5, "notify": ["boss"]}]}, "escalation[0].steps[0].notify[0]"),
        ({"steps": [{"percent": 5, "page": {"levels": []}}]}, "escalation[0].steps[0].page.levels"),
        ({"steps": [{"percent": 5, "page": PAGE}]}, "escalation[0].steps"),
        (
            {"steps": [{"percent": 5, "page": {"levels": [{}]}}]},
            "escalation[0].steps[0].page.levels[0]",
        ),
        (
            {"steps": [{"percent": 50, "notify": ["lead"]}, {"percent": 5, "notify": ["lead"]}]},
            "escalation[0].steps[1]",
        ),
        (
            {"steps": [{"percent": 5, "move_to_group": "A B"}]},
            "escalation[0].steps[0].move_to_group",
        ),
    ],
)
def test_a_ladder_that_makes_no_sense_is_refused_by_its_field(
    desk: Desk, ladder: dict[str, Any], field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        desk.policy(escalation=[ladder])
    assert refused.value.errors[0].field == field
