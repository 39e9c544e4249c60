"""Policies and timelines from JSON: what is read, and refusals that name the field (C8)."""

import pytest

from services.sla.engine import (
    Created,
    InvalidRules,
    Policy,
    Resolved,
    Rulebook,
    check_references,
    encode,
    evaluate,
    parse_calendars,
    parse_policies,
    parse_policy,
    parse_timeline,
)
from shared.calendar import Calendar
from tests.unit.sla.givens import a_policy, created, lived, minute, rules, targets


def fields_of(call, *arguments) -> set[str]:
    with pytest.raises(InvalidRules) as caught:
        call(*arguments)
    return {error.field for error in caught.value.errors}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"id": ""}, "id"),
        ({"version": 0}, "version"),
        ({"version": "1"}, "version"),
        ({"colour": 1}, ""),
        ({"targets": [{"metric": "speed", "seconds": 1}]}, "targets[0].metric"),
        ({"targets": [{"metric": "resolution", "seconds": 0}]}, "targets[0].seconds"),
        ({"targets": [{"metric": "resolution", "seconds": 10**9}]}, "targets[0].seconds"),
        ({"targets": [{"metric": "resolution", "seconds": 1.5}]}, "targets[0].seconds"),
        ({"targets": [{"metric": "resolution"}]}, "targets[0]"),
        (
            {"targets": [{"metric": "resolution", "seconds": 1, "priority": "p1"}]},
            "targets[0].priority",
        ),
        ({"warnings": [{"percent": 100}]}, "warnings[0].percent"),
        ({"warnings": [{"percent": 0}]}, "warnings[0].percent"),
        ({"warnings": [{"percent": 50, "seconds_before": 1}]}, "warnings[0]"),
        ({"warnings": [{}]}, "warnings[0]"),
        ({"warnings": [{"seconds_before": 0}]}, "warnings[0].seconds_before"),
        ({"warnings": [{"percent": 5, "metric": "x"}]}, "warnings[0].metric"),
        ({"metrics": {"x": {}}}, "metrics.x"),
        ({"conditions": {"all": [{"field": "a", "op": "like"}]}}, "conditions.all[0].op"),
        ({"in_force_from": "2026-01-01T00:00:00"}, "in_force_from"),
    ],
)
def test_a_policy_of_nonsense_is_refused_and_the_field_is_named(change, field):
    assert fields_of(parse_policy, {"id": "p", **change}) == {field}


def test_the_place_in_the_list_is_part_of_the_name():
    data = [{"id": "a"}, {"id": "b", "targets": [{"metric": "resolution", "seconds": -1}]}]
    assert fields_of(parse_policies, data) == {"policies[1].targets[0].seconds"}


def test_a_policy_survives_the_way_through_json():
    policy = a_policy(metrics={"resolution": {"pauses": ["hold"], "stops_at": "closed"}})
    assert type(policy) is Policy
    assert policy.metrics["resolution"].pauses == ("hold",)


TAKEN_BACK = {
    "at": "2026-03-02T12:00:00Z",
    "type": "breach_taken_back",
    "metric": "resolution",
    "cycle": 1,
    "since": "2026-03-02T09:30:00Z",
    "until": "2026-03-02T11:00:00Z",
}


@pytest.mark.parametrize(
    ("fact", "field"),
    [
        ({"at": "2026-03-02T09:00:00Z", "type": "exploded"}, "timeline[1].type"),
        ({"type": "resolved"}, "timeline[1].at"),
        ({"at": "2026-03-02T09:00:00", "type": "resolved"}, "timeline[1].at"),
        ({"at": "yesterday", "type": "resolved"}, "timeline[1].at"),
        ({"at": "2026-03-02T09:00:00Z", "type": "status_changed"}, "timeline[1].category"),
        (
            {"at": "2026-03-02T09:00:00Z", "type": "status_changed", "category": "lost"},
            "timeline[1].category",
        ),
        ({"at": "2026-03-02T09:00:00Z", "type": "resolved", "by": 1}, "timeline[1].by"),
        ("resolved", "timeline[1]"),
        (TAKEN_BACK | {"since": "2026-03-02T09:30:00"}, "timeline[1].since"),
        (TAKEN_BACK | {"until": "2026-03-02T09:29:59Z"}, "timeline[1].until"),
        (TAKEN_BACK | {"until": "2026-03-02T12:00:01Z"}, "timeline[1].until"),
    ],
)
def test_a_timeline_of_nonsense_is_refused_and_the_field_is_named(fact, field):
    start = {"at": "2026-03-02T09:00:00Z", "type": "created"}
    assert fields_of(parse_timeline, [start, fact]) == {field}


def test_a_timeline_begins_with_its_creation():
    assert fields_of(parse_timeline, [{"at": "2026-03-02T09:00:00Z", "type": "closed"}]) == {
        "timeline"
    }


def test_a_timeline_is_read_in_the_order_of_time_and_in_utc():
    facts = parse_timeline(
        [
            {"at": "2026-03-02T12:00:00+01:00", "type": "resolved"},
            {"at": "2026-03-02T09:00:00Z", "type": "created", "priority": "high"},
        ]
    )
    assert facts == [created(priority="high"), Resolved(at=minute(120))]
    assert isinstance(facts[0], Created)


def test_calendars_are_named_by_their_key_and_so_are_their_errors():
    (office,) = parse_calendars(
        {"office": {"timezone": "UTC", "hours": {"mon": [["09:00", "17:00"]]}}}
    )
    assert office.id == "office"
    assert fields_of(parse_calendars, {"x": {"always_open": True, "timezone": "Mars"}}) == {
        "calendars.x.timezone"
    }


def test_a_target_on_a_calendar_that_is_not_given_is_refused():
    policy = a_policy(targets=targets("night", resolution=60))
    assert fields_of(check_references, [policy], [Calendar(id="day")]) == {
        "policies[0].targets[0].calendar_id"
    }
    check_references([policy], [Calendar(id="night")])


def test_the_same_version_twice_is_refused():
    with pytest.raises(ValueError, match="twice"):
        rules(a_policy(), a_policy())
    with pytest.raises(ValueError, match="twice"):
        Rulebook([], [Calendar(id="a"), Calendar(id="a")])


def test_a_verdict_tells_how_each_cycle_stands():
    judged = evaluate(rules(a_policy(warnings=[{"percent": 50}])), [created()], minute(130))
    first, resolution = sorted(judged.verdicts, key=lambda verdict: verdict.metric)
    assert (first.status, first.is_open, first.breached_at) == ("breached", True, minute(60))
    assert (resolution.status, resolution.elapsed_seconds) == ("running", 130 * 60)
    assert resolution.remaining_seconds == 110 * 60
    assert resolution.warnings == (minute(120),)
    assert resolution.due_at == minute(240)


def test_the_state_stays_small():
    facts = [created(attributes={"group": "first-line", "assignee": "ada"})]
    state, _ = lived(rules(), *facts, *(Resolved(at=minute(n)) for n in range(1, 10)))
    assert len(encode(state)) < 2000
