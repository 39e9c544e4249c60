"""Promises as they are defined: remarks (C8), entries to approve (C11), the zone data on record (C10)."""

from importlib import metadata
from typing import Any

import pytest

from services.sla.promises import define
from services.sla.promises.define import Defined
from shared.errors import Invalid
from shared.events.policies import CalendarDefined, calendar_stream
from tests.integration.sla.support import ADMIN_ORIGIN, Desk

pytestmark = pytest.mark.integration
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
