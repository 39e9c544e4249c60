"""The calendar's rules C1-C9 by example; the properties are next door."""

from datetime import UTC, date, datetime, timedelta

import pytest

from shared.calendar import Calendar, InvalidCalendar, NoOpenTime, parse_calendar

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri")
OFFICE = {day: [["09:00", "17:00"]] for day in WEEKDAYS}


def a_calendar(zone: str = "Europe/Berlin", hours=OFFICE, **more) -> Calendar:
    return parse_calendar({"timezone": zone, "hours": hours, **more})


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def refusal(data, **options) -> dict[str, str]:
    with pytest.raises(InvalidCalendar) as caught:
        parse_calendar(data, **options)
    return dict(caught.value.errors)


def test_a_target_that_ends_at_closing_time_is_due_at_the_close_not_the_next_opening():
    friday = at("2026-03-06T09:00+01:00")
    assert a_calendar().add(friday, 8 * 3600) == at("2026-03-06T17:00+01:00")


def test_one_second_more_is_due_after_the_weekend():
    friday = at("2026-03-06T09:00+01:00")
    assert a_calendar().add(friday, 8 * 3600 + 1) == at("2026-03-09T09:00:01+01:00")


def test_adding_nothing_while_open_changes_nothing():
    assert a_calendar().add(at("2026-03-06T12:00:00.5+01:00"), 0) == at(
        "2026-03-06T12:00:00.5+01:00"
    )


@pytest.mark.parametrize("start", ["2026-03-06T17:00+01:00", "2026-03-07T03:00+01:00"])
def test_adding_nothing_while_closed_gives_the_next_opening(start):
    assert a_calendar().add(at(start), 0) == at("2026-03-09T09:00+01:00")


def test_the_closing_instant_is_closed_and_the_opening_instant_is_open():
    calendar = a_calendar()
    assert calendar.is_open(at("2026-03-06T09:00+01:00"))
    assert not calendar.is_open(at("2026-03-06T17:00+01:00"))


def test_a_reversed_stretch_is_nothing():
    assert a_calendar().between(at("2026-03-06T12:00Z"), at("2026-03-06T11:00Z")) == 0


def test_microseconds_are_kept():
    start = at("2026-03-06T12:00:00.000001+01:00")
    calendar = a_calendar()
    assert calendar.between(start, at("2026-03-06T12:00:01+01:00")) == 0.999999
    assert calendar.add(start, 0.5) == at("2026-03-06T12:00:00.500001+01:00")


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-11-01", 24)]
)
def test_a_whole_sunday_has_23_or_25_hours_when_the_clocks_change(day, hours):
    calendar = a_calendar(hours={"sun": [["00:00", "24:00"]]})
    midnight = at(f"{day}T00:00Z") - timedelta(hours=12)
    assert calendar.between(midnight, midnight + timedelta(hours=60)) == hours * 3600


def test_lord_howe_changes_by_half_an_hour():
    calendar = a_calendar("Australia/Lord_Howe", {"sun": [["00:00", "24:00"]]})
    start = at("2026-10-03T00:00Z")
    assert calendar.between(start, start + timedelta(days=3)) == 23.5 * 3600


def test_an_edge_in_the_gap_moves_forward_by_the_gap():
    calendar = a_calendar(hours={"sun": [["02:30", "05:00"]]})
    assert calendar.add(at("2026-03-28T12:00Z"), 0) == at("2026-03-29T03:30+02:00")


def test_an_interval_that_the_gap_swallows_vanishes():
    calendar = a_calendar(hours={"sun": [["02:30", "03:00"]]})
    assert calendar.between(at("2026-03-28T12:00Z"), at("2026-03-30T12:00Z")) == 0


def test_an_ambiguous_edge_is_the_first_occurrence():
    calendar = a_calendar(hours={"sun": [["02:30", "04:00"]]})
    assert calendar.add(at("2026-10-24T12:00Z"), 0) == at("2026-10-25T02:30+02:00")
    assert calendar.between(at("2026-10-24T12:00Z"), at("2026-10-26T00:00Z")) == 2.5 * 3600


def test_an_overnight_interval_belongs_to_its_opening_day_and_runs_into_a_holiday():
    calendar = a_calendar(
        hours={"mon": [["22:00", "06:00"]], "tue": [["22:00", "06:00"]]}, holidays=["2026-03-10"]
    )
    monday = at("2026-03-09T12:00Z")
    assert calendar.between(monday, at("2026-03-12T12:00Z")) == 8 * 3600
    assert calendar.is_open(at("2026-03-10T05:59:59+01:00"))


def test_a_holiday_outranks_an_override_and_an_override_the_weekday():
    calendar = a_calendar(
        holidays=["2026-03-09"],
        overrides={
            "2026-03-09": [["10:00", "11:00"]],
            "2026-03-10": [["10:00", "11:00"]],
            "2026-03-11": [],
        },
    )
    assert calendar.between(at("2026-03-09T00:00Z"), at("2026-03-10T00:00Z")) == 0
    assert calendar.between(at("2026-03-10T00:00Z"), at("2026-03-11T00:00Z")) == 3600
    assert calendar.between(at("2026-03-11T00:00Z"), at("2026-03-12T00:00Z")) == 0


def test_a_break_closes_its_wall_time_also_inside_an_overnight_tail():
    calendar = a_calendar(
        hours={"mon": [["22:00", "06:00"]]}, breaks={"2026-03-10": [["02:00", "02:30:30"]]}
    )
    monday = at("2026-03-09T12:00Z")
    assert calendar.between(monday, monday + timedelta(days=1)) == 8 * 3600 - 1830


def test_overlapping_and_touching_intervals_count_once():
    calendar = a_calendar(
        hours={"mon": [["09:00", "13:00"], ["12:00", "15:00"], ["15:00", "16:00"]]}
    )
    assert calendar.between(at("2026-03-09T00:00Z"), at("2026-03-10T00:00Z")) == 7 * 3600


def test_a_long_closure_is_jumped_not_given_up_after_72_hours():
    closed = [(date(2026, 3, 9) + timedelta(days=n)).isoformat() for n in range(700)]
    calendar = a_calendar(holidays=closed)
    friday = at("2026-03-06T16:59:59+01:00")
    assert calendar.add(friday, 2) == at("2028-02-07T09:00:01+01:00")


def test_no_open_time_within_ten_years_is_a_typed_error():
    calendar = a_calendar(hours={}, overrides={"2026-03-09": [["09:00", "10:00"]]})
    assert calendar.add(at("2026-03-01T00:00Z"), 3600) == at("2026-03-09T10:00+01:00")
    with pytest.raises(NoOpenTime):
        calendar.add(at("2026-03-01T00:00Z"), 3601)
    with pytest.raises(NoOpenTime):
        calendar.add(at("2026-03-10T00:00Z"), 0)


def test_the_search_stops_at_ten_years_exactly_not_at_a_block():
    calendar = a_calendar("UTC", hours={}, overrides={"2037-01-01": [["09:00", "10:00"]]})
    with pytest.raises(NoOpenTime):
        calendar.add(at("2026-06-01T00:00Z"), 60)
    assert calendar.add(at("2027-06-01T00:00Z"), 60) == at("2037-01-01T09:01Z")


def test_the_end_of_all_dates_is_a_typed_error():
    with pytest.raises(NoOpenTime):
        a_calendar().add(datetime(9999, 12, 31, 23, tzinfo=UTC), 10**6)
    with pytest.raises(NoOpenTime):
        Calendar().add(datetime(9999, 12, 31, 23, tzinfo=UTC), 10**6)


def test_a_calendar_that_is_always_open_is_plain_time():
    calendar = parse_calendar({"always_open": True})
    start = at("2026-03-29T00:00Z")
    assert calendar.is_always_open
    assert calendar.add(start, 86_400.25) == start + timedelta(days=1, microseconds=250_000)


def test_a_holiday_on_a_24x7_calendar_is_closed():
    calendar = parse_calendar({"always_open": True, "holidays": ["2026-03-09"]})
    assert not calendar.is_always_open
    assert calendar.between(at("2026-03-08T00:00Z"), at("2026-03-11T00:00Z")) == 2 * 86_400


def test_with_an_effective_date_earlier_dates_keep_the_previous_rules():
    before = a_calendar()
    after = parse_calendar(
        {
            "timezone": "Europe/Berlin",
            "hours": {day: [["10:00", "12:00"]] for day in WEEKDAYS},
            "effective_from": "2026-03-10",
        },
        previous=before,
    )
    monday, tuesday = at("2026-03-09T00:00+01:00"), at("2026-03-10T00:00+01:00")
    assert after.between(monday, tuesday) == 8 * 3600
    assert after.between(tuesday, tuesday + timedelta(days=1)) == 2 * 3600


def test_a_naive_moment_is_refused():
    with pytest.raises(ValueError, match="time zone"):
        a_calendar().add(datetime(2026, 3, 9, 9), 1)  # noqa: DTZ001 - that is the point


def test_time_is_only_added_forwards():
    with pytest.raises(ValueError, match="forwards"):
        a_calendar().add(at("2026-03-09T00:00Z"), -1)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"timezone": "Europe/Atlantis"}, "timezone"),
        ({"timezone": None}, "timezone"),
        ({"timezone": "../etc/passwd"}, "timezone"),
        ({"hours": {"mon": [["09:00", "09:00"]]}}, "hours.mon[0]"),
        ({"hours": {"mon": [["9:00", "17:00"]]}}, "hours.mon[0][0]"),
        ({"hours": {"mon": [["09:00", "24:01"]]}}, "hours.mon[0][1]"),
        ({"hours": {"mon": [["24:00", "09:00"]]}}, "hours.mon[0][0]"),
        ({"hours": {"mon": [["09:00"]]}}, "hours.mon[0]"),
        ({"hours": {"mon": "09:00"}}, "hours.mon"),
        ({"hours": {"monday": []}}, "hours.monday"),
        ({"hours": {}}, "hours"),
        ({"hours": None}, "hours"),
        ({"holidays": ["2026-02-30"]}, "holidays[0]"),
        ({"holidays": "2026-02-03"}, "holidays"),
        ({"overrides": {"20260101": []}}, "overrides.20260101"),
        ({"overrides": {"2026-01-01": [["09:00", 17]]}}, "overrides.2026-01-01[0][1]"),
        ({"breaks": []}, "breaks"),
        ({"version": 0}, "version"),
        ({"version": True}, "version"),
        ({"hors": {}}, "hors"),
        ({"effective_from": "soon"}, "effective_from"),
        ({"in_force_from": "2026-01-01T00:00:00"}, "in_force_from"),
    ],
)
def test_nonsense_is_refused_and_the_field_is_named(change, field):
    assert field in refusal({"timezone": "UTC", "hours": OFFICE, **change})


def test_all_that_is_wrong_is_named_at_once():
    errors = refusal({"timezone": "X", "hours": {"mon": [["1", "2"]]}, "holidays": [7]})
    assert set(errors) == {"timezone", "hours.mon[0][0]", "hours.mon[0][1]", "holidays[0]"}


def test_a_calendar_without_an_open_second_in_the_next_year_is_refused():
    data = {"timezone": "UTC", "hours": {}, "overrides": {"2026-03-09": [["09:00", "10:00"]]}}
    assert "hours" in refusal(data, first_day=date(2026, 3, 10))
    assert parse_calendar(data, first_day=date(2026, 3, 9)).is_open(at("2026-03-09T09:30Z"))
