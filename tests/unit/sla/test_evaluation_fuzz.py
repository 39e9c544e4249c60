"""Whatever nonsense is asked, the answer is a result or a refusal that names the field; nothing ever breaks."""

import copy
import json
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.sla.evaluation import (
    CalendarQuestion,
    TimelineQuestion,
    answer_calendar,
    answer_line,
    answer_timeline,
)

OFFICE = {
    "timezone": "Europe/Berlin",
    "hours": {"mon": [["09:00", "12:00"], ["13:00", "17:00"]], "fri": [["22:00", "02:00"]]},
    "holidays": ["2026-12-25"],
    "overrides": {"2026-03-04": [["10:00", "11:00"]]},
    "breaks": {"2026-03-09": [["10:00", "10:30"]]},
}
TICKET: dict[str, Any] = {
    "id": "T",
    "policies": [
        {
            "id": "p",
            "conditions": {"all": [{"field": "type", "op": "is_not", "value": "spam"}]},
            "targets": [
                {"metric": "first_reply", "seconds": 3600, "calendar_id": "office"},
                {"metric": "resolution", "seconds": 7200, "priority": "high", "when": []},
                {"metric": "group_ownership", "seconds": 60},
            ],
            "metrics": {"resolution": {"pauses": ["pending"], "on_reopen": "restart"}},
            "warnings": [{"percent": 50}, {"seconds_before": 60, "metric": "first_reply"}],
        }
    ],
    "calendars": {"office": OFFICE},
    "timeline": [
        {
            "at": "2026-03-02T10:00:00Z",
            "type": "created",
            "priority": "high",
            "attributes": {"a": 1},
        },
        {"at": "2026-03-02T11:00:00Z", "type": "agent_replied", "human": True},
        {"at": "2026-03-02T11:00:00Z", "type": "status_changed", "category": "pending"},
        {"at": "2026-03-03T11:00:00Z", "type": "reopened", "category": "open"},
        {"at": "2026-03-03T12:00:00Z", "type": "group_changed", "group": "vip"},
        {"at": "2026-03-03T13:00:00Z", "type": "calendar_changed", "calendar_id": "office"},
        {
            "at": "2026-03-03T18:00:00Z",
            "type": "breach_taken_back",
            "metric": "group_ownership",
            "cycle": 1,
            "since": "2026-03-03T12:00:30Z",
            "until": "2026-03-03T12:05:00Z",
            "attempt": 0,
        },
        {"at": "2026-03-04T11:00:00Z", "type": "resolved"},
    ],
    "evaluate_at": "2026-03-06T10:00:00Z",
}
SUM: dict[str, Any] = {
    "id": 1,
    "calendar": OFFICE,
    "op": "add",
    "start": "2026-03-02T10:00:00Z",
    "seconds": 3600,
}

junk = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.sampled_from(
        [
            "0001-01-01T00:00:00Z",
            "9999-12-31T23:59:59Z",
            "2026-03-02T10:00:00",
            "24:00",
            "25:00",
            "first_reply",
            "closed",
            "merged",
            "office",
            "\x00",
            "../../etc",
            1e308,
            -0.0,
        ]
    ),
    st.lists(st.integers(-3, 3) | st.text(max_size=3), max_size=3),
    st.dictionaries(st.text(max_size=4), st.integers(-3, 3), max_size=2),
)


def paths(node: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document."""
    found = [here] if here else []
    entries = (
        node.items()
        if isinstance(node, dict)
        else enumerate(node)
        if isinstance(node, list)
        else ()
    )
    for key, value in entries:
        found += paths(value, (*here, key))
    return found


@st.composite
def damaged(draw: st.DrawFn, whole: dict[str, Any]) -> dict[str, Any]:
    """A good question with one to three places made worse: replaced, removed or given something more."""
    question = copy.deepcopy(whole)
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from(paths(question)))
        holder = question
        for key in way:
            holder = holder[key]
        match draw(st.sampled_from(["replace", "remove", "add"])):
            case "remove":
                del holder[last]
            case "add" if isinstance(holder, dict):
                holder[draw(st.text(max_size=5))] = draw(junk)
            case "add" if isinstance(holder, list):
                holder.append(draw(junk))
            case _:
                holder[last] = draw(junk)
        if not paths(question):
            break
    return question


def check(answered: dict[str, Any]) -> None:
    """A result that can be told, or a refusal with a field for everybody who must mend it."""
    if "error" not in answered:
        assert "result" in json.loads(msgspec.json.encode(answered))
        return
    problem = json.loads(msgspec.json.encode(answered["error"]))
    assert problem["status"] in (413, 422), problem
    fields = [error["field"] for error in problem.get("errors", [])]
    assert fields, f"no field is named: {problem}"
    assert all(isinstance(field, str) for field in fields)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(damaged(TICKET))
def test_a_damaged_timeline_is_judged_or_refused_by_field(question: dict[str, Any]) -> None:
    check(answer_line(json.dumps(question).encode(), 0, TimelineQuestion, answer_timeline))


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(damaged(SUM))
def test_a_damaged_sum_is_reckoned_or_refused_by_field(question: dict[str, Any]) -> None:
    check(answer_line(json.dumps(question).encode(), 0, CalendarQuestion, answer_calendar))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_bytes_that_are_no_question_are_refused(raw: bytes) -> None:
    answered = answer_line(raw, 3, TimelineQuestion, answer_timeline)
    assert answered["index"] == 3
    assert answered["error"].status in (400, 422)
