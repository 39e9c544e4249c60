"""Questions from outside, line by line: answers under their id, refusals that name the field, never a crash."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.sla.evaluation import (
    CalendarQuestion,
    TimelineQuestion,
    answer_calendar,
    answer_line,
    answer_timeline,
)
from services.sla.evaluation.kept import BLOCKS_MAX, KEPT_MAX, Kept

OFFICE = {"timezone": "Europe/Berlin", "hours": {"fri": [["09:00", "17:00"]]}}
ADD = {"id": 1, "calendar": OFFICE, "op": "add", "start": "2026-03-06T15:00:00Z", "seconds": 7200}
BETWEEN = {
    "id": "b",
    "calendar": OFFICE,
    "op": "between",
    "start": "2026-03-01T00:00:00Z",
    "end": "2026-03-14T00:00:00Z",
}
TIMELINE = {
    "id": "t",
    "policies": [
        {"id": "p", "targets": [{"metric": "resolution", "seconds": 3600, "calendar_id": "office"}]}
    ],
    "calendars": {"office": OFFICE},
    "timeline": [
        {"at": "2026-03-06T12:00:00Z", "type": "created"},
        {"at": "2026-03-06T12:30:00Z", "type": "resolved"},
    ],
    "evaluate_at": "2026-03-07T00:00:00Z",
}


def asked(question: Any, index: int = 0) -> Any:
    """The answer as it leaves, for a calendar's or a timeline's question."""
    raw = question if isinstance(question, bytes) else json.dumps(question).encode()
    if b"timeline" in raw or b"policies" in raw:
        answer = answer_line(raw, index, TimelineQuestion, answer_timeline)
    else:
        answer = answer_line(raw, index, CalendarQuestion, answer_calendar)
    return json.loads(msgspec.json.encode(answer))


def fields(answer: Any) -> list[str]:
    assert answer["error"]["status"] in (400, 422), answer
    return [each["field"] for each in answer["error"]["errors"]]


def test_add_and_between_are_answered_as_written():
    assert asked(ADD) == {"id": 1, "result": "2026-03-13T09:00:00Z"}
    assert asked(BETWEEN) == {"id": "b", "result": 57_600}
    assert asked({**ADD, "seconds": None, "minutes": 120})["result"] == "2026-03-13T09:00:00Z"
    assert asked({**ADD, "start": "2026-03-06T16:00:00+01:00"})["result"] == "2026-03-13T09:00:00Z"


def test_the_whole_form_of_a_calendar_is_read():
    calendar = {
        "timezone": "Europe/Berlin",
        "hours": {"mon": [["22:00", "06:00"]], "wed": [["00:00", "24:00"]]},
        "holidays": ["2026-03-11", {"date": "2026-03-18", "name": "Day off"}],
        "overrides": {"2026-03-12": [["09:00:30", "10:00"]]},
        "breaks": {"2026-03-09": [["23:00", "23:30"]]},
    }
    week = {**BETWEEN, "calendar": calendar, "start": "2026-03-08T23:00:00Z"}
    assert asked({**week, "end": "2026-03-15T23:00:00Z"})["result"] == 7.5 * 3600 + 3570


@pytest.mark.parametrize(
    ("question", "field"),
    [
        ({**ADD, "op": "subtract"}, "op"),
        ({**ADD, "seconds": None}, "seconds"),
        ({**ADD, "seconds": -1}, "seconds"),
        ({**ADD, "seconds": 10**10}, "seconds"),
        ({**ADD, "seconds": "1h"}, "seconds"),
        ({**ADD, "minutes": 1}, "minutes"),
        ({**ADD, "seconds": None, "minutes": -1}, "minutes"),
        ({**ADD, "end": "2026-03-07T00:00:00Z"}, "end"),
        ({**ADD, "start": "2026-03-06T15:00:00"}, "start"),
        ({**ADD, "start": "yesterday"}, "start"),
        ({**ADD, "start": "0001-01-01T00:00:00+14:00"}, "start"),
        ({**ADD, "starts": 1}, "starts"),
        ({**ADD, "calendar": 7}, "calendar"),
        ({**ADD, "calendar": {**OFFICE, "timezone": "Mars"}}, "calendar.timezone"),
        ({**ADD, "calendar": {**OFFICE, "hours": {}}}, "calendar.hours"),
        ({**ADD, "calendar": {**OFFICE, "hours": {"mon": [["9", "10:00"]]}}}, "calendar.hours.mon[0][0]"),
        ({**ADD, "seconds": 10 * 366 * 86_400}, "calendar"),
        ({**BETWEEN, "end": None}, "end"),
        ({**BETWEEN, "seconds": 1}, "seconds"),
        ({**BETWEEN, "minutes": 1}, "minutes"),
        ({**BETWEEN, "end": "2999-01-01T00:00:00Z"}, "calendar"),
    ],
)  # fmt: skip
def test_a_question_about_a_calendar_that_cannot_be_answered_names_the_field(question, field):
    answer = asked(question)
    assert fields(answer) == [field]
    assert answer["id"] == question["id"]


def test_a_line_that_is_no_json_has_its_place_and_one_of_another_shape_has_its_id():
    broken = asked(b'{"id": 5, ', 3)
    assert (broken["id"], broken["index"], broken["error"]["status"]) == (None, 3, 400)
    other = asked({"id": {"my": 1}, "op": "add"}, 4)
    assert (other["id"], other["index"], fields(other)) == ({"my": 1}, 4, ["calendar"])


def test_a_timeline_is_judged():
    (verdict,) = asked(TIMELINE)["result"]
    assert (verdict["status"], verdict["due_at"]) == ("met", "2026-03-06T13:00:00Z")
    assert {
        "due_at",
        "remaining_seconds",
        "elapsed_seconds",
        "paused_seconds",
        "status",
        "breached_at",
        "met_at",
        "margin_seconds",
        "warnings",
    } <= verdict.keys()
    assert verdict["margin_seconds"] == 1800
    assert verdict["warnings"] == [], "half of the target is not more than half"


def test_a_policy_that_is_probably_a_mistake_is_judged_with_a_warning():
    policy = {
        "id": "p",
        "targets": [
            {"metric": "first_reply", "seconds": 7200},
            {"metric": "resolution", "seconds": 3600},
        ],
    }
    answer = asked({**TIMELINE, "policies": [policy]})
    assert len(answer["result"]) == 2
    (warning,) = answer["warnings"]
    assert warning.startswith("policies[0].targets: the first reply (7200 s) is promised later")
    assert "warnings" not in asked(TIMELINE)


CREATED = {"at": "2026-03-06T12:00:00Z", "type": "created"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"policies": {}}, "policies"),
        ({"policies": [{"id": "p", "targets": [{"metric": "speed", "seconds": 1}]}]},
         "policies[0].targets[0].metric"),
        ({"policies": [{"id": "p", "version": 1}, {"id": "p", "version": 1}]}, "policies"),
        ({"policies": [{"id": "p"}, {"id": "p"}]}, "policies[1].in_force_from"),
        ({"calendars": []}, "calendars"),
        ({"calendars": {}}, "policies[0].targets[0].calendar_id"),
        ({"calendars": {"office": {}}}, "calendars.office.timezone"),
        ({"calendars": {"office": []}}, "calendars.office"),
        ({"calendars": {"office": [OFFICE, OFFICE]}}, "calendars.office[1].in_force_from"),
        ({"calendars": {"office": [OFFICE, 7]}}, "calendars.office[1]"),
        ({"timeline": []}, "timeline"),
        ({"timeline": [CREATED, {"at": 7, "type": "resolved"}]}, "timeline[1].at"),
        ({"timeline": [CREATED, {**CREATED, "type": ["resolved"]}]}, "timeline[1].type"),
        ({"timeline": [CREATED, {**CREATED, "type": "policy_changed", "policy_id": "q"}]},
         "timeline[1].policy_id"),
        ({"timeline": [CREATED, {**CREATED, "type": "calendar_changed", "calendar_id": "q"}]},
         "timeline[1].calendar_id"),
        ({"evaluate_at": "2026-03-06T11:00:00Z"}, "evaluate_at"),
        ({"evaluate_at": "2026-03-06T11:00:00"}, "evaluate_at"),
        ({"evaluate_at": "2999-01-01T00:00:00Z", "timeline": [CREATED]}, "timeline"),
        ({"zone": "UTC"}, "zone"),
    ],
)  # fmt: skip
def test_a_timeline_that_cannot_be_judged_names_the_field(change, field):
    answer = asked({**TIMELINE, **change})
    assert field in fields(answer)
    assert answer["id"] == "t"


def test_a_target_that_can_never_come_due_is_refused_with_an_example():
    hours = {"timezone": "UTC", "hours": {}, "overrides": {"2026-03-09": [["09:00", "09:30"]]}}
    answer = asked({**TIMELINE, "calendars": {"office": hours}})
    assert fields(answer) == ["policies[0].targets[0].seconds"]
    assert "a resolution that starts at 2026-03-06T12:00:00+00:00" in answer["error"]["detail"]


def test_a_calendars_next_version_holds_from_its_change_in_the_timeline():
    late = {"timezone": "Europe/Berlin", "hours": {"fri": [["16:00", "20:00"]]}}
    changed = {"at": "2026-03-06T12:15:00Z", "type": "calendar_changed", "calendar_id": "office"}
    question = {
        **TIMELINE,
        "calendars": {"office": [OFFICE, late]},
        "timeline": [CREATED, changed],
    }
    (verdict,) = asked(question)["result"]
    assert (verdict["calendar_version"], verdict["due_at"]) == (2, "2026-03-06T16:00:00Z")


def test_when_a_version_began_in_one_story_says_nothing_about_another():
    """The documents are the same and are kept; the beginning is the timeline's."""
    late = {"timezone": "Europe/Berlin", "hours": {"fri": [["16:00", "20:00"]]}}
    question = {**TIMELINE, "calendars": {"office": [OFFICE, late]}}

    def version(created: str, changed: str) -> int:
        facts = [
            {"at": f"2026-03-06T{created}Z", "type": "created"},
            {"at": f"2026-03-06T{changed}Z", "type": "calendar_changed", "calendar_id": "office"},
        ]
        asked_at = f"2026-03-06T{created}Z"
        (verdict,) = asked({**question, "timeline": facts, "evaluate_at": asked_at})["result"]
        return verdict["calendar_version"]

    assert version("12:00:00", "12:15:00") == 1
    assert version("12:30:00", "12:45:00") == 1


def test_a_policys_next_version_holds_from_its_change_in_the_timeline():
    changed = {"at": "2026-03-06T12:15:00Z", "type": "policy_changed"}
    second = {"id": "p", "targets": [{"metric": "resolution", "seconds": 7200}]}
    question = {**TIMELINE, "policies": [*TIMELINE["policies"], second]}
    (verdict,) = asked({**question, "timeline": [CREATED, changed]})["result"]
    assert (verdict["policy_version"], verdict["due_at"]) == (2, "2026-03-06T14:00:00Z")


def test_a_fact_may_put_the_ticket_under_another_policy():
    gold = {"id": "gold", "targets": [{"metric": "resolution", "seconds": 60}]}
    changed = {"at": "2026-03-06T12:00:30Z", "type": "policy_changed", "policy_id": "gold"}
    question = {**TIMELINE, "policies": [*TIMELINE["policies"], gold]}
    (verdict,) = asked({**question, "timeline": [CREATED, changed]})["result"]
    assert (verdict["policy_id"], verdict["breached_at"]) == ("gold", "2026-03-06T12:01:00Z")


def test_a_creation_at_the_same_moment_as_the_first_message_comes_first():
    replied = {"at": CREATED["at"], "type": "agent_replied"}
    assert "result" in asked({**TIMELINE, "timeline": [replied, CREATED]})


def test_what_was_used_last_is_kept_and_never_much():
    kept: Kept[int] = Kept()
    for number in range(KEPT_MAX):
        kept.keep(number, number)
    kept.keep(0, 0)
    kept.keep("new", 7)
    assert (kept.find(0), kept.find(1), kept.find("new")) == (0, None, 7)


def test_a_calendar_asked_about_a_lifetime_is_not_kept():
    class Grown:
        compiled_count = BLOCKS_MAX + 1

    kept: Kept[int] = Kept()
    kept.keep("a", 1)
    kept.keep("a", 1, Grown())
    assert kept.find("a") is None


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
    | st.sampled_from(["2026-03-06T12:00:00Z", "9999-12-31T23:59:59Z", "24:00", "created", "office"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


def paths(value: Any, here: tuple[Any, ...] = ()):
    yield here
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from paths(value[key], (*here, key))


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


@settings(max_examples=400, deadline=None)
@given(st.sampled_from([ADD, BETWEEN, TIMELINE]), st.data())
def test_whatever_stands_anywhere_in_a_question_it_is_answered_or_refused(question, data):
    path = data.draw(st.sampled_from(list(paths(question))[1:]))
    answer = asked(replaced(question, path, data.draw(_json)))
    assert ("result" in answer) != ("error" in answer)
    if "error" in answer:
        assert fields(answer)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([ADD, BETWEEN, TIMELINE]), st.data())
def test_whatever_bytes_come_they_are_answered_or_refused(question, data):
    raw = bytearray(json.dumps(question).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    assert len(asked(bytes(raw))) >= 2
