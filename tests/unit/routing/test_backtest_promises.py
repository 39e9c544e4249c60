"""Promises under a replay: a course that moves takes its facts along, and the one engine judges them."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.rules.judging import Judged, judge, moved
from deploy.rules.past import Past
from services.routing.domain.backtest import Material, PastTicket, moment_in, play, script_of
from services.routing.domain.backtest.course import Passage, Turn
from services.routing.domain.trail import Entry, Mark
from services.sla import engine
from services.sla.backtest import Trial
from services.sla.backtest.timelines import Timeline
from shared.events.agents import RoutingRule, RuleMode
from shared.events.base import Priority
from shared.events.conditions import Condition
from tests.unit.routing.test_backtest import (
    ALL_TO_ONE,
    SHARED,
    START,
    WORK,
    a_setting,
    a_ticket,
    as_it_happened,
)

MINUTE = timedelta(minutes=1)
END = START + timedelta(hours=12)
TARGETS = [
    {"metric": "first_reply", "seconds": 900},
    {"metric": "resolution", "seconds": 2_400},
    {"metric": "first_assign", "seconds": 600},
]


def a_trial(*policies: dict) -> Trial:
    documents = policies or ({"id": "standard", "targets": TARGETS},)
    return Trial(
        policies=[(one["id"], 1, {"order": 1, **one}) for one in documents],
        calendars=[],
        drafts=[],
        since=START,
        until=END,
        timezone="UTC",
        show=0,
    )


def a_timeline(ticket: PastTicket, *more: engine.Fact, ruled: Sequence[int] = ()) -> Timeline:
    """Answered two minutes after it was given out, solved when the work was done."""
    handed = ticket.handed[0]
    facts = [
        engine.Created(at=ticket.opened_at),
        *more,
        engine.GroupChanged(at=ticket.opened_at, group="one"),
        engine.Assigned(at=handed.at, assignee=handed.agent_id),
        engine.AgentReplied(at=handed.at + 2 * MINUTE),
        engine.Resolved(at=handed.at + WORK),
    ]
    return Timeline(ticket_id=ticket.ticket_id, facts=facts, ruled=list(ruled))


def judged(
    tickets: Sequence[PastTicket],
    wanted: tuple[RoutingRule, ...] = SHARED,
    trial: Trial | None = None,
    timelines: Sequence[Timeline] | None = None,
) -> Judged:
    material = Material(a_setting(ALL_TO_ONE), (), tuple(tickets))
    told = [a_timeline(ticket) for ticket in tickets] if timelines is None else timelines
    past = Past(
        material,
        trial or a_trial(),
        {one.ticket_id: msgspec.json.encode(one) for one in told},
    )
    found = judge(play(material, wanted, RuleMode.FIRST), past)
    assert found is not None
    return found


def test_every_metric_is_judged_and_the_rules_in_force_break_what_was_broken() -> None:
    told = judged(as_it_happened(60))
    assert sorted(told.metrics) == ["first_assign", "first_reply", "resolution"]
    for sides in told.metrics.values():
        assert sides["current"] == sides["happened"]
        assert sides["happened"]["breached"] == 60 - 36 > 0 == sides["wanted"]["breached"]
    assert told.breaches_by_group == {"one": {"happened": 72, "current": 72, "wanted": 0}}
    assert told.policies["standard"]["wanted"] == {
        "met": 72, "breached": 0, "open": 0, "cancelled": 0,
    }  # fmt: skip
    assert (told.tickets, told.unknown) == (24, 0)


def test_each_policy_is_counted_by_itself() -> None:
    vips = {
        "id": "vips",
        "order": 0,
        "conditions": {"all": [{"field": "group", "op": "is", "value": "two"}]},
        "targets": TARGETS[:1],
    }
    told = judged(as_it_happened(60), trial=a_trial(vips, {"id": "standard", "targets": TARGETS}))
    assert sum(told.policies["vips"]["happened"].values()) == 0
    assert told.policies["vips"]["wanted"]["met"] == 12, "every second ticket is in that group now"
    assert told.policies["standard"]["wanted"]["met"] == 3 * 12
    assert told.policies["standard"]["wanted"]["cancelled"] == 2 * 12, "what vips does not promise"


def test_what_rules_asked_of_intake_is_that_of_the_rules_on_trial() -> None:
    hurried = (
        RoutingRule(
            id="odd",
            group="two",
            priority=Priority.URGENT,
            when=(Condition("tags", "contains", "odd"),),
        ),
        RoutingRule(id="default", group="one"),
    )
    strict = {
        "id": "standard",
        "targets": [
            {"metric": "first_reply", "priority": "urgent", "seconds": 60},
            {"metric": "first_reply", "seconds": 900},
        ],
    }
    tickets = as_it_happened(60)[40:]
    now_low = [
        a_timeline(one, engine.PriorityChanged(at=one.opened_at, priority="low"), ruled=[1])
        for one in tickets
    ]
    told = judged(tickets, hurried, a_trial(strict), now_low)
    assert told.metrics["first_reply"]["wanted"]["breached"] == 10, (
        "urgent: one minute is too short"
    )
    material = Material(a_setting(ALL_TO_ONE), (), tuple(tickets))
    played = play(material, hurried, RuleMode.FIRST)
    facts = moved(now_low[0], script_of(tickets[0]), played.wanted)
    assert not [one for one in facts if isinstance(one, engine.PriorityChanged)]


def test_a_ticket_without_a_timeline_is_counted_and_an_old_history_has_no_promises() -> None:
    tickets = as_it_happened(60)
    told = judged(tickets, timelines=[a_timeline(ticket) for ticket in tickets[:-1]])
    assert (told.tickets, told.unknown) == (23, 1)
    material = Material(a_setting(ALL_TO_ONE), (), tuple(tickets))
    played = play(material, SHARED, RuleMode.FIRST)
    assert judge(played, Past(material, None, {})) is None


def test_under_the_rules_in_force_a_timeline_stays_as_it_was() -> None:
    tickets = as_it_happened(8)
    played = play(Material(a_setting(ALL_TO_ONE), (), tickets), ALL_TO_ONE, RuleMode.FIRST)
    for ticket in tickets:
        timeline = a_timeline(ticket)
        assert moved(timeline, script_of(ticket), played.current) == timeline.facts


def test_what_the_agent_does_moves_with_the_work_and_the_answer_to_it_as_well() -> None:
    opened, got = START, START + timedelta(hours=1)
    back = got + 3 * WORK
    ticket = msgspec.structs.replace(
        a_ticket(0, handed_after=timedelta(hours=1)),
        trail=(
            Entry(opened, Mark.OPENED, "normal"),
            Entry(got + WORK, Mark.FREED, "pending"),
            Entry(back, Mark.NEEDED, "open"),
            Entry(back + WORK, Mark.FREED, "solved"),
        ),
    )
    told = [
        engine.Created(at=opened),
        engine.CustomerReplied(at=opened + 5 * MINUTE),
        engine.AgentReplied(at=got + MINUTE),
        engine.StatusChanged(at=got + WORK, category="pending"),
        engine.CustomerReplied(at=back),
        engine.StatusChanged(at=back, category="open"),
        engine.AgentReplied(at=back + MINUTE),
        engine.Resolved(at=back + WORK),
    ]
    timeline = Timeline(ticket_id=ticket.ticket_id, facts=told)
    played = play(Material(a_setting(ALL_TO_ONE), (), (ticket,)), ALL_TO_ONE, RuleMode.FIRST)
    facts = moved(timeline, script_of(ticket), played.current)
    words = [one for one in facts if not isinstance(one, engine.GroupChanged | engine.Assigned)]
    assert [one.at - START for one in words] == [
        timedelta(0),
        timedelta(0),  # what the customer wrote while it waited is there when the agent gets it
        MINUTE,
        WORK,
        *(3 * WORK, 3 * WORK),
        3 * WORK + MINUTE,
        4 * WORK,
    ]


LENGTH = st.integers(0, 40)
PARTS = st.lists(st.tuples(LENGTH, LENGTH, st.integers(1, 40), LENGTH), min_size=1, max_size=4)
"""Of each passage: how long it waited, how long it waits in the replay, the work, the rest."""


def a_course(parts: list[tuple[int, int, int]]) -> list[Passage]:
    """Waits, is worked at, rests; and again."""
    found, at = [], 0
    for wait, work, rest in parts:
        ended = at + wait + work
        found.append(Passage(began=_at(at), turns=[Turn(_at(at + wait))], ended=_at(ended)))
        at = ended + rest + 1
    return found


def _at(minutes: int) -> datetime:
    return START + minutes * MINUTE


@given(PARTS)
@settings(deadline=None)
def test_nothing_changes_its_order_and_the_same_course_moves_nothing(
    parts: list[tuple[int, int, int, int]],
) -> None:
    recorded = a_course([(wait, work, rest) for wait, _, work, rest in parts])
    replayed = a_course([(wait, work, rest) for _, wait, work, rest in parts])
    moments = [_at(minute) for minute in range(0, 500, 3)]
    moments += [at for one in recorded for at in (one.began, one.turns[0].began, one.ended) if at]
    moments.sort()
    assert [moment_in(recorded, recorded, at) for at in moments] == moments
    told = [moment_in(replayed, recorded, at) for at in moments]
    assert told == sorted(told)
    assert [moment_in(replayed, recorded, one.ended) for one in recorded] == [
        one.ended for one in replayed
    ]


def test_what_was_interrupted_goes_on_with_the_next_agent() -> None:
    recorded = [Passage(began=_at(0), turns=[Turn(_at(10))], ended=_at(40))]
    replayed = Passage(began=_at(0))
    replayed.begin_work(_at(5))
    replayed.interrupt(_at(15))
    assert [moment_in([replayed], recorded, _at(minute)) for minute in (5, 20, 21)] == [
        _at(5),
        _at(15),
        None,
    ]
    replayed.begin_work(_at(60))
    replayed.ended = _at(80)
    assert [moment_in([replayed], recorded, _at(minute)) for minute in (19, 21, 40, 45)] == [
        _at(14),
        _at(61),
        _at(80),
        _at(85),
    ]


def test_what_never_comes_to_be_in_the_replay_does_not_happen() -> None:
    recorded = [
        Passage(began=_at(0), turns=[Turn(_at(10))], ended=_at(40)),
        Passage(began=_at(90)),
    ]
    waiting = [Passage(began=_at(0))]
    assert [moment_in(waiting, recorded, _at(minute)) for minute in (0, 5, 10, 40, 95)] == [
        _at(0),
        _at(5),
        *(None, None, None),
    ]
    assert moment_in(waiting, [Passage(began=_at(0))], _at(30)) == _at(30)
