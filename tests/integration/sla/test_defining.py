"""Promises as they are defined: remarks (C8), entries to approve (C11), the zone data on record (C10)."""

from datetime import UTC, datetime, timedelta
from importlib import metadata
from typing import Any

import pytest

from services.sla.promises import define
from services.sla.promises.define import Defined
from shared.errors import Invalid
from shared.events import sla
from shared.events.policies import CalendarDefined, calendar_stream, policy_stream
from tests.integration.sla.support import ADMIN_ORIGIN, Desk, Story

pytestmark = pytest.mark.integration
SOON = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
OFFICE = {"timezone": "Europe/Berlin", "hours": {"fri": [["09:00", "17:00"]]}}


def put_policy(desk: Desk, **seconds: int) -> Defined:
    targets = [{"metric": metric, "seconds": amount} for metric, amount in seconds.items()]
    return desk.store.transact(
        lambda tx: define.define_policy(tx, "p", {"targets": targets}, origin=ADMIN_ORIGIN)
    )


def put_calendar(desk: Desk, **changes: Any) -> Defined:
    document = {**OFFICE, **changes}
    return desk.store.transact(
        lambda tx: define.define_calendar(tx, "office", document, origin=ADMIN_ORIGIN)
    )


def test_a_first_reply_later_than_the_resolution_is_accepted_with_a_warning(desk: Desk) -> None:
    accepted = put_policy(desk, first_reply=7200, resolution=3600)
    assert accepted.version == 1
    (warning,) = accepted.warnings
    assert "first reply (7200 s) is promised later than the resolution (3600 s)" in warning
    assert put_policy(desk, first_reply=3600, resolution=3600).warnings == ()


def test_a_holiday_that_nobody_has_approved_is_refused_and_nothing_is_stored(desk: Desk) -> None:
    entry = {"date": "2027-02-14", "name": "Valentine's Day", "approved": False}
    with pytest.raises(Invalid) as refused:
        put_calendar(desk, holidays=[entry])
    assert [each.field for each in refused.value.errors] == ["holidays[0].approved"]
    assert desk.store.history(calendar_stream("office")) == []


def test_an_approved_holiday_is_stored_with_its_name_and_the_zone_data_that_is_used(
    desk: Desk,
) -> None:
    entry = {"date": "2027-12-24", "name": "Christmas Eve", "approved": True}
    put_calendar(desk, holidays=[entry])
    (event,) = desk.store.history(calendar_stream("office"))
    assert isinstance(event, CalendarDefined)
    assert event.definition["holidays"] == [entry]
    assert event.tzdata_version == metadata.version("tzdata")


def test_a_policy_that_can_never_come_due_is_refused_with_an_example(desk: Desk) -> None:
    put_calendar(desk, hours={}, overrides={SOON: [["09:00", "10:00"]]})
    target = {"metric": "first_reply", "seconds": 3_601, "calendar_id": "office"}
    with pytest.raises(Invalid) as refused:
        desk.store.transact(
            lambda tx: define.define_policy(tx, "p", {"targets": [target]}, origin=ADMIN_ORIGIN)
        )
    (error,) = refused.value.errors
    assert error.field == "targets[0].seconds"
    assert "a first_reply that starts at" in error.message
    assert desk.store.history(policy_stream("p")) == []


def test_hours_that_would_make_a_promise_impossible_are_refused_by_the_policys_name(
    desk: Desk,
) -> None:
    put_calendar(desk)
    target = {"metric": "first_reply", "seconds": 7_200, "calendar_id": "office"}
    desk.policy("vip", targets=[target])
    with pytest.raises(Invalid) as refused:
        put_calendar(desk, hours={}, overrides={SOON: [["09:00", "10:00"]]})
    (error,) = refused.value.errors
    assert error.field == "hours"
    assert error.message.startswith("policy vip, targets[0].seconds: can never come due")
    assert len(desk.store.history(calendar_stream("office"))) == 1


def test_a_clock_without_a_deadline_is_told_to_operators_with_metric_and_reason(desk: Desk) -> None:
    put_calendar(desk, hours={}, overrides={SOON: [["09:00", "10:00"]]})
    target = {"metric": "first_reply", "seconds": 3_600, "calendar_id": "office"}
    desk.policy(targets=[target])
    story = Story()
    desk.hear(story.opened(datetime.fromisoformat(f"{SOON}T12:00:00Z")))
    told = desk.told(story.ticket_id)
    assert [event.wire_type for event in told] == [
        "sla.policy_applied.v1", "sla.unschedulable.v1", "sla.started.v1",
    ]  # fmt: skip
    (event,) = [event for event in told if isinstance(event, sla.SlaUnschedulable)]
    assert (event.metric, event.reason, event.calendar_id) == (
        "first_reply", "no_open_time", "office",
    )  # fmt: skip
