"""The end of the n-th business day after a date, against counting by hand."""

from datetime import UTC, datetime

import pytest

from shared.calendar import Calendar, NoOpenTime, end_of_business_day, parse_calendar


def office(**more: object) -> Calendar:
    hours = {day: [["09:00", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}
    return parse_calendar(
        {"id": "o", "version": 1, "timezone": "Europe/Berlin", "hours": hours} | more
    )


@pytest.mark.parametrize(
    ("start", "days", "end"),
    [
        # Monday 2 March 2026, winter time: business ends at 16:00 UTC.
        (datetime(2026, 3, 2, 10, tzinfo=UTC), 1, datetime(2026, 3, 3, 16, tzinfo=UTC)),
        (datetime(2026, 3, 2, 10, tzinfo=UTC), 3, datetime(2026, 3, 5, 16, tzinfo=UTC)),
        # Friday: the weekend does not count.
        (datetime(2026, 3, 6, 10, tzinfo=UTC), 1, datetime(2026, 3, 9, 16, tzinfo=UTC)),
        # 23:30 UTC on Monday is Tuesday in Berlin.
        (datetime(2026, 3, 2, 23, 30, tzinfo=UTC), 1, datetime(2026, 3, 4, 16, tzinfo=UTC)),
        # Over the change to summer time (29 March): business ends at 15:00 UTC.
        (datetime(2026, 3, 27, 10, tzinfo=UTC), 1, datetime(2026, 3, 30, 15, tzinfo=UTC)),
    ],
)
def test_business_days_are_counted_by_dates_of_the_desk(
    start: datetime, days: int, end: datetime
) -> None:
    assert end_of_business_day(office(), start, days) == end


def test_a_holiday_is_no_business_day() -> None:
    calendar = office(holidays=["2026-03-03"])
    start = datetime(2026, 3, 2, 10, tzinfo=UTC)
    assert end_of_business_day(calendar, start, 1) == datetime(2026, 3, 4, 16, tzinfo=UTC)


def test_a_desk_that_never_closes_ends_its_day_at_midnight() -> None:
    start = datetime(2026, 3, 2, 10, tzinfo=UTC)
    assert end_of_business_day(Calendar(), start, 2) == datetime(2026, 3, 5, tzinfo=UTC)


def test_too_many_days_are_refused() -> None:
    with pytest.raises(NoOpenTime):
        end_of_business_day(office(), datetime(2026, 3, 2, tzinfo=UTC), 390)
