"""Facts and time on the real tables: states, timers, events, one transaction each."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from services.sla.settings import Settings
from services.sla.tickets import imports, states
from shared.errors import NotFound
from shared.events import assignments, sla, tickets
from shared.events.base import ActorKind, Channel, Owner, StatusCategory
from shared.eventstore import EventStore
from shared.identifiers import new_id
from tests.integration.sla.support import ADMIN, ANNA, NOON, Desk, Story, received

pytestmark = pytest.mark.integration
HOUR = timedelta(hours=1)
EPSILON = timedelta(microseconds=1)


def test_an_opened_ticket_gets_a_policy_and_clocks_with_deadlines(desk: Desk) -> None:
    desk.policy()
    story = Story()
    desk.hear(story.opened(NOON))
    applied, first, resolution = desk.told(story.ticket_id)
    assert isinstance(applied, sla.SlaPolicyApplied)
    assert (applied.policy_id, applied.policy_version) == ("standard", 1)
    assert isinstance(first, sla.SlaStarted)
    assert isinstance(resolution, sla.SlaStarted)
    assert (first.metric, first.due_at) == ("first_reply", NOON + HOUR)
    assert (resolution.metric, resolution.due_at) == ("resolution", NOON + 8 * HOUR)
    assert [event.version for event in (applied, first, resolution)] == [1, 2, 3]
    assert first.causation_id == f"intake:{story.ticket_id}:1"
    assert desk.store.transact(states.earliest_due) == NOON + HOUR + EPSILON


def test_a_deadline_that_passes_is_a_breach_at_the_deadline_and_fires_once(desk: Desk) -> None:
    desk.policy()
    story = Story()
    desk.hear(story.opened(NOON))
    assert desk.time_is(NOON + 3 * HOUR) == 1
    assert desk.time_is(NOON + 3 * HOUR) == 0
    (breach,) = desk.breaches(story.ticket_id)
    assert breach.breached_at == breach.due_at == breach.occurred_at == NOON + HOUR
    assert breach.detected_at > breach.breached_at
    assert (breach.metric, breach.cycle, breach.elapsed_seconds) == ("first_reply", 1, 3_600)
    assert (breach.correlation_id, breach.causation_id) == ("c-1", None)


@pytest.mark.parametrize("stands", [True, False])
def test_a_person_decides_once_about_a_breach_that_a_very_late_reply_speaks_against(
    desk: Desk, stands: bool
) -> None:
    desk.policy(targets=[{"metric": "first_reply", "seconds": 3_600}])
    story = Story()
    desk.hear(story.opened(NOON))
    desk.time_is(NOON + 3 * HOUR)
    reply = story.agent_replied(NOON + HOUR / 2)
    desk.hear(msgspec.structs.replace(reply, recorded_at=NOON + 26 * HOUR))
    desk.review(story.ticket_id, "first_reply", 1, stands=stands, note="the mail server was down")
    decided = desk.told(story.ticket_id)[-1]
    assert isinstance(decided, sla.SlaBreachUpheld if stands else sla.SlaBreachRetracted)
    (breach,) = desk.breaches(story.ticket_id)
    assert (decided.breach_id, decided.note) == (breach.breach_id, "the mail server was down")
    assert decided.actor == ADMIN.actor
    with pytest.raises(NotFound):
        desk.review(story.ticket_id, "first_reply", 1, stands=stands)
    with pytest.raises(NotFound):
        desk.review(new_id(), "first_reply", 1, stands=stands)


def test_a_running_clock_whose_breach_was_taken_back_may_warn_and_breach_again(desk: Desk) -> None:
    desk.policy(
        targets=[{"metric": "resolution", "seconds": 3_600}],
        escalation=[
            {"metric": "resolution", "steps": [{"seconds_after": 0, "notify": ["role:supervisor"]}]}
        ],
    )
    began = datetime.now(UTC) - 27 * HOUR
    story = Story()
    desk.hear(story.opened(began))
    desk.time_is(began + 2 * HOUR)
    paused = story.status(began + HOUR / 2, StatusCategory.PENDING)
    desk.hear(msgspec.structs.replace(paused, recorded_at=began + 26 * HOUR))
    desk.review(story.ticket_id, "resolution", 1, stands=False)
    retracted, moved = desk.told(story.ticket_id)[-2:]
    assert isinstance(retracted, sla.SlaBreachRetracted)
    assert isinstance(moved, sla.SlaDueChanged)
    assert (retracted.actor.kind, moved.actor.kind) == (ADMIN.actor.kind, ActorKind.SYSTEM)
    assert (moved.due_at, moved.previous_due_at) == (None, began + HOUR)
    resumed = datetime.now(UTC)
    desk.hear(story.status(resumed, StatusCategory.OPEN))
    assert desk.store.transact(states.earliest_due) == resumed + HOUR / 2 + EPSILON
    assert desk.time_is(resumed + HOUR) == 1
    first, second = desk.breaches(story.ticket_id)
    assert (first.breached_at, second.breached_at) == (began + HOUR, resumed + HOUR / 2)
    assert first.breach_id != second.breach_id
    steps = [
        event for event in desk.told(story.ticket_id) if isinstance(event, sla.SlaEscalationStep)
    ]
    assert [step.planned_at for step in steps] == [began + HOUR, resumed + HOUR / 2]


def test_a_reply_in_time_leaves_the_timer_nothing_to_say(desk: Desk) -> None:
    desk.policy()
    story = Story()
    desk.hear(story.opened(NOON), story.agent_replied(NOON + HOUR))
    assert desk.time_is(NOON + 2 * HOUR) == 0
    assert desk.breaches(story.ticket_id) == []
    met = desk.told(story.ticket_id)[-1]
    assert isinstance(met, sla.SlaMet)
    assert met.margin_seconds == 0


def test_overdue_timers_of_many_tickets_are_told_in_the_order_of_their_deadlines(
    desk: Desk,
) -> None:
    desk.policy(targets=[{"metric": "first_reply", "seconds": 3_600}], warnings=[{"percent": 50}])
    stories = [Story(number=n) for n in range(5)]
    for place, story in enumerate(stories):
        desk.hear(story.opened(NOON + timedelta(minutes=(place * 7) % 5)))
    desk.time_is(NOON + 5 * HOUR)
    rows = desk.store.transact(
        lambda tx: tx.cursor.execute(
            "SELECT convert_from(state, 'UTF8')::jsonb ->> 'occurred_at' AS at FROM sla_events"
            " WHERE topic IN ('sla.warning.v1', 'sla.breached.v1') ORDER BY notification_id"
        ).fetchall()
    )
    moments = [row["at"] for row in rows]
    assert len(moments) == 10
    assert moments == sorted(moments)


def test_a_batch_that_fails_leaves_nothing_behind(desk: Desk) -> None:
    desk.policy()
    story, stranger = Story(), Story()
    stranger.version = 1
    with pytest.raises(Exception, match="never opened"):
        desk.hear(story.opened(NOON), stranger.agent_replied(NOON))
    assert desk.told(story.ticket_id) == []
    assert desk.store.transact(states.earliest_due) is None


def test_an_assignment_before_the_opening_names_group_and_agent_in_the_breach(desk: Desk) -> None:
    desk.policy()
    story = Story()
    opened = story.opened(NOON)
    assigned = _group_changed(opened, "network")
    desk.hear(assigned)
    desk.hear(opened)
    desk.time_is(NOON + 2 * HOUR)
    (breach,) = desk.breaches(story.ticket_id)
    assert breach.group_id == "network"


def test_a_ticket_split_off_has_clocks_of_its_own_and_what_was_moved_answers_nothing(
    desk: Desk,
) -> None:
    desk.policy(targets=[{"metric": m, "seconds": 3_600} for m in ("first_reply", "next_reply")])
    older, split = Story(number=1), Story(number=2)
    desk.hear(older.opened(NOON), older.agent_replied(NOON + HOUR / 4))
    desk.hear(older.customer_replied(NOON + HOUR / 2))
    at = NOON + HOUR
    origin = tickets.Origin(kind="split", ticket_id=older.ticket_id, number=1, sent_at=NOON)
    source = tickets.Copied(
        ticket_id=older.ticket_id, number=1, message_id=new_id(), sent_at=NOON, author=ANNA
    )
    opened = split.opened(at, origin=origin)
    answer = msgspec.structs.replace(split.agent_replied(at), is_automatic=True, copied=source)
    question = msgspec.structs.replace(split.customer_replied(at), copied=source)
    desk.hear(opened, answer, question)
    (started,) = [
        event for event in desk.told(split.ticket_id) if isinstance(event, sla.SlaStarted)
    ]
    assert (started.metric, started.due_at) == ("first_reply", at + HOUR)
    desk.time_is(NOON + 3 * HOUR)
    (breach,) = desk.breaches(split.ticket_id)
    assert (breach.metric, breach.breached_at) == ("first_reply", at + HOUR)
    (other,) = desk.breaches(older.ticket_id)
    assert (other.metric, other.breached_at) == ("next_reply", NOON + HOUR * 3 / 2)


def test_a_condition_on_the_group_sees_a_group_that_came_before_there_was_such_a_condition(
    desk: Desk,
) -> None:
    desk.policy()
    story = Story()
    opened = story.opened(NOON)
    desk.hear(opened, _group_changed(opened, "vip"))
    desk.policy(
        "vip",
        order=1,
        conditions={"all": [{"field": "group", "op": "is", "value": "vip"}]},
        targets=[{"metric": "resolution", "seconds": 60}],
        in_force_from=NOON.isoformat(),
    )
    desk.hear(story.customer_replied(NOON + timedelta(seconds=30)))
    applied = [e for e in desk.told(story.ticket_id) if isinstance(e, sla.SlaPolicyApplied)]
    assert [event.policy_id for event in applied] == ["standard", "vip"]


def test_imported_history_is_judged_in_its_own_time_and_waits_for_its_next_line(
    desk: Desk, settings: Settings
) -> None:
    desk.policy()
    then = NOON - timedelta(days=900)
    story = Story(via=Channel.IMPORT)
    desk.hear(story.opened(then))
    assert desk.time_is(NOON) == 0, "the next line may be the reply"
    desk.hear(story.agent_replied(then + HOUR / 2))
    desk.hear(story.status(then + HOUR, StatusCategory.PENDING))
    assert desk.breaches(story.ticket_id) == []
    assert {event.via for event in desk.told(story.ticket_id)} == {Channel.IMPORT}


def test_an_open_imported_ticket_is_judged_when_the_import_is_over_and_pages_nobody(
    desk: Desk, settings: Settings
) -> None:
    desk.policy()
    then = NOON - timedelta(days=900)
    story = Story(via=Channel.IMPORT)
    desk.hear(story.opened(then))
    now = desk.store.transact(lambda tx: tx.now)
    assert _release(desk, settings, now) == 0, "it may still be going on"
    later = now + timedelta(seconds=settings.import_quiet_seconds + 3)
    assert _release(desk, settings, later) == 1
    assert desk.time_is(now) == 1
    breaches = desk.breaches(story.ticket_id)
    assert [breach.breached_at for breach in breaches] == [then + HOUR, then + 8 * HOUR]
    assert _count(desk.store, "alerts") == 0


def test_an_announced_import_is_not_over_by_a_short_silence(desk: Desk, settings: Settings) -> None:
    desk.policy()
    desk.hear(Story(via=Channel.IMPORT).opened(NOON - timedelta(days=900)))
    now = desk.store.transact(lambda tx: tx.now)
    desk.store.transact(lambda tx: imports.announce(tx, is_open=True, now=now))
    quiet = timedelta(seconds=settings.import_quiet_seconds + 3)
    assert _release(desk, settings, now + quiet) == 0
    desk.store.transact(lambda tx: imports.announce(tx, is_open=False, now=now))
    assert _release(desk, settings, now + quiet) == 1


def test_a_changed_calendar_moves_the_open_clocks(
    stores: Callable[[], EventStore[Any]], settings: Settings
) -> None:
    from services.sla.calendars import Recalculation

    desk = Desk(stores(), settings)
    now = desk.store.transact(lambda tx: tx.now)
    desk.calendar("desk", always_open=True)
    desk.policy(targets=[{"metric": "resolution", "seconds": 86_400, "calendar_id": "desk"}])
    story = Story()
    desk.hear(story.opened(now))
    days = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    desk.calendar("desk", timezone="UTC", hours={day: [["09:00", "10:00"]] for day in days})
    recalculation = Recalculation(store=desk.store, judging=desk.judging)
    assert recalculation.step()
    assert not recalculation.step()
    changed = desk.told(story.ticket_id)[-1]
    assert isinstance(changed, sla.SlaDueChanged)
    assert changed.previous_due_at == now + timedelta(days=1)
    assert changed.due_at is not None
    assert changed.due_at > now + timedelta(days=20)
    assert changed.calendar_version == 2


def test_two_processes_with_batches_that_share_tickets_take_turns(
    stores: Callable[[], EventStore[Any]], settings: Settings
) -> None:
    """Each ticket's stream has no gap and no version twice, whoever was first."""
    from concurrent.futures import ThreadPoolExecutor

    one, two = Desk(stores(), settings), Desk(stores(), settings)
    one.policy()
    stories = [Story(number=n) for n in range(50)]
    opened = [story.opened(NOON) for story in stories]
    one.hear(*opened)
    replies = [story.agent_replied(NOON + HOUR / 2) for story in stories]
    groups = [_group_changed(event, "network") for event in reversed(opened)]
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda job: job[0].hear(*job[1]), [(one, replies), (two, groups)]))
    for story in stories:
        versions = [event.version for event in one.told(story.ticket_id)]
        assert versions == list(range(1, len(versions) + 1))


def _release(desk: Desk, settings: Settings, now: Any) -> int:
    return desk.store.transact(lambda tx: imports.release_held(tx, settings, now=now))


def _count(store: EventStore[Any], table: str) -> int:
    rows = store.transact(
        lambda tx: tx.cursor.execute(f"SELECT count(*) AS n FROM {table}").fetchall()  # type: ignore[arg-type]
    )
    return int(rows[0]["n"])


def _group_changed(opened: Any, group: str) -> assignments.GroupChanged:
    event = assignments.GroupChanged(
        version=1,
        occurred_at=opened.occurred_at,
        recorded_at=opened.recorded_at,
        actor=opened.actor,
        via=Channel.SYSTEM,
        correlation_id="c-1",
        ticket_id=opened.ticket_id,
        group_id=group,
        previous_group_id=None,
        mode="rule",
        why="because",
    )
    assert event.OWNER is Owner.ROUTING
    assert received(event)
    return event
