"""Promises that no ticket and no moment could make due are found when they are written, each with an example."""

from datetime import UTC, datetime
from typing import Any

import pytest

from services.sla.engine import impossible, remarks
from shared.calendar import parse_calendar
from tests.unit.sla.givens import OFFICE, a_policy, targets

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
ONE_DAY = parse_calendar(
    {
        "id": "fair",
        "timezone": "UTC",
        "hours": {},
        "overrides": {"2026-06-01": [["09:00", "10:00"]]},
    }
)


def found(**policy: Any) -> dict[str, str]:
    calendars = {"office": OFFICE, "fair": ONE_DAY}
    return {
        error.field: error.message for error in impossible(a_policy(**policy), calendars, at=AT)
    }


def condition(field: str, op: str = "is", value: Any = None) -> dict[str, Any]:
    return {"field": field, "op": op, "value": value}


def test_an_ordinary_policy_can_come_due() -> None:
    assert found() == {}
    assert found(targets=targets("office", first_reply=60), conditions={"all": []}) == {}


def test_a_target_with_more_seconds_than_its_calendar_ever_opens_is_named_with_an_example() -> None:
    errors = found(targets=targets("fair", first_reply=61))
    assert list(errors) == ["targets[0].seconds"]
    assert (
        "a first_reply that starts at 2026-03-02T09:00:00+00:00 on calendar fair"
        in errors["targets[0].seconds"]
    )
    assert found(targets=targets("fair", first_reply=60)) == {}, "it opens for exactly an hour"


def test_a_metric_that_stands_still_in_every_category_never_comes_due() -> None:
    working = ["new", "open", "answered", "pending", "hold", "postponed"]
    errors = found(metrics={"resolution": {"pauses": working}})
    assert list(errors) == ["metrics.resolution.pauses"]
    assert "a ticket created as new" in errors["metrics.resolution.pauses"]
    assert found(metrics={"resolution": {"pauses": working[1:]}}) == {}
    unpromised = {"agent_work": {"pauses": working}}
    assert found(metrics=unpromised) == {}, "what is not promised need not come due"


@pytest.mark.parametrize(
    "both",
    [
        [condition("priority", "is", "high"), condition("priority", "is", "low")],
        [condition("priority", "in", ["high"]), condition("priority", "is_not", "high")],
        [condition("priority", "not_in", ["low", "normal", "high", "urgent"])],
        [condition("fields.seats", "gt", 10), condition("fields.seats", "lte", 10)],
        [condition("fields.seats", "gt", 10), condition("fields.seats", "lt", "b")],
        [condition("group", "absent"), condition("group", "is", "vip")],
        [condition("type", "present"), condition("type", "absent")],
    ],
)
def test_conditions_that_exclude_each_other_are_refused(both: list[dict[str, Any]]) -> None:
    (field, message), *others = found(conditions={"all": both}).items()
    assert others == []
    assert field == f"conditions.all[{len(both) - 1}]" or len(both) == 1
    assert "no ticket is ever meant by: " in message


@pytest.mark.parametrize(
    "both",
    [
        [condition("priority", "is", "high"), condition("type", "is", "low")],
        [condition("priority", "in", ["high", "low"]), condition("priority", "is_not", "high")],
        [condition("fields.seats", "gte", 10), condition("fields.seats", "lte", 10)],
        [condition("tags", "contains", "a"), condition("tags", "contains", "b")],
    ],
)
def test_conditions_that_may_hold_together_are_left_alone(both: list[dict[str, Any]]) -> None:
    assert found(conditions={"all": both}) == {}


def test_a_target_for_a_priority_that_the_conditions_exclude_is_refused() -> None:
    target = {"metric": "first_reply", "seconds": 60, "priority": "low"}
    errors = found(targets=[target], conditions={"all": [condition("priority", "is", "urgent")]})
    assert list(errors) == ["targets[0].priority"]
    assert "priority is urgent and priority is low" in errors["targets[0].priority"]


def test_what_is_never_chosen_or_never_given_is_remarked() -> None:
    general = {"metric": "first_reply", "seconds": 600}
    told = remarks(
        a_policy(
            targets=[general, {**general, "priority": "high"}], warnings=[{"seconds_before": 600}]
        )
    )
    assert told[0] == "targets[1]: never chosen, targets[0] fits every such ticket"
    assert told[1].startswith("warnings[0]: never given for targets[0], 600 s before due")
    narrow = {**general, "when": [condition("group", "is", "vip")]}
    assert remarks(a_policy(targets=[narrow, general], warnings=[{"seconds_before": 599}])) == ()
