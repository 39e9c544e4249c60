"""The calendar against two libraries that know nothing of it, each within the domain where it is right.

`opening_hours` (the OpenStreetMap grammar, in Rust): several intervals a day, holidays, overrides,
breaks, clock changes. Not asked: edges inside a skipped hour (it moves them to the gap's end, C5
moves them by the gap) or a repeated one; overnight intervals beside overrides (its rules for a date
replace the night before as well); seconds.

`businesstimedelta`: one shift a day with a lunch break, holidays. Not asked: several shifts,
overnight, overrides; it fails without a holiday in the next five years, so some are always given.
"""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

import businesstimedelta
import opening_hours
import pytz
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.calendar import parse_calendar
from shared.calendar.zones import zone_of

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
OSM_DAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
CHANGES = [
    ("Europe/Berlin", date(2026, 3, 29)),
    ("Europe/Berlin", date(2026, 10, 25)),
    ("America/New_York", date(2026, 3, 8)),
    ("America/New_York", date(2026, 11, 1)),
    ("Asia/Kolkata", date(2026, 6, 3)),
]
# Both zones change between one and three in the morning.
_edges = st.sampled_from([m for m in range(0, 1441, 5) if not 60 <= m <= 180])


def text(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


@st.composite
def intervals(draw):
    edges = sorted(draw(st.sets(_edges, max_size=6)))
    return [[text(a), text(b)] for a, b in zip(edges[::2], edges[1::2], strict=False)]


@st.composite
def weeks(draw):
    """A week with at least one open day, and the zone and date around which to ask."""
    zone, anchor = draw(st.sampled_from(CHANGES))
    hours = {day: draw(intervals()) for day in DAYS}
    hours["wed"] = hours["wed"] or [["08:00", "12:00"]]
    return anchor, {"timezone": zone, "hours": hours}


def near(anchor: date, minutes: int) -> datetime:
    return datetime.combine(anchor, time(), UTC) - timedelta(days=6) + timedelta(minutes=minutes)


def spans_of(pairs) -> str:
    return ",".join(f"{opens}-{closes}" for opens, closes in pairs) if pairs else "off"


def open_seconds(expression: str, zone: str, start: datetime, end: datetime) -> float:
    """The library forgets which of two equal local times is meant at the edges of what it is asked: they are noons."""
    local = zone_of(zone)
    before = start.astimezone(local).date() - timedelta(days=1)
    after = end.astimezone(local).date() + timedelta(days=1)
    found = opening_hours.OpeningHours(expression, timezone=local).intervals(
        datetime.combine(before, time(12), local), datetime.combine(after, time(12), local)
    )
    return sum(
        max(
            (min(until.astimezone(UTC), end) - max(since.astimezone(UTC), start)).total_seconds(), 0
        )
        for since, until, state, _ in found
        if state == opening_hours.State.OPEN
    )


@settings(max_examples=120, deadline=None)
@given(weeks(), st.data())
def test_holidays_overrides_and_breaks_agree_with_opening_hours(case, data):
    anchor, shape = case
    days = [(anchor + timedelta(days=n)) for n in range(-4, 5)]
    some = st.dictionaries(st.sampled_from(days), intervals(), max_size=2)
    overrides, breaks = data.draw(some), data.draw(some)
    holidays = data.draw(st.sets(st.sampled_from(days), max_size=2))
    shape = {
        **shape,
        "overrides": {day.isoformat(): spans for day, spans in overrides.items()},
        "breaks": {day.isoformat(): spans for day, spans in breaks.items()},
        "holidays": [day.isoformat() for day in holidays],
    }
    # A later rule replaces an earlier one for its day; "off" with hours only cuts these out.
    rules = [
        f"{osm} {spans_of(shape['hours'][day])}" for osm, day in zip(OSM_DAYS, DAYS, strict=True)
    ]
    rules += [f"{day:%Y %b %d} {spans_of(spans)}" for day, spans in overrides.items()]
    rules += [f"{day:%Y %b %d} off" for day in holidays]
    rules += [f"{day:%Y %b %d} {spans_of(spans)} off" for day, spans in breaks.items() if spans]
    start, end = near(anchor, data.draw(st.integers(0, 9000))), near(anchor, 17_000)
    expected = open_seconds("; ".join(rules), shape["timezone"], start, end)
    assert parse_calendar(shape).between(start, end) == expected


@settings(max_examples=80, deadline=None)
@given(weeks(), st.sets(st.sampled_from(DAYS), min_size=1), st.data())
def test_nights_agree_with_opening_hours(case, nights, data):
    anchor, shape = case
    for day in nights:
        shape["hours"][day] = [*shape["hours"][day], ["22:00", "06:00"]]
    # A comma adds to the rules before it, so that a night goes on into the next day's hours.
    rules = [
        f"{osm} {spans_of(shape['hours'][day])}"
        for osm, day in zip(OSM_DAYS, DAYS, strict=True)
        if shape["hours"][day]
    ]
    edges = sorted(data.draw(st.sets(st.integers(0, 17_000), min_size=2, max_size=5)))
    calendar = parse_calendar(shape)
    for since, until in pairwise(edges):
        start, end = near(anchor, since), near(anchor, until)
        expected = open_seconds(", ".join(rules), shape["timezone"], start, end)
        assert calendar.between(start, end) == expected


ALWAYS_A_HOLIDAY = {date(year, 1, 1) for year in range(2026, 2037)}


@st.composite
def shifts(draw):
    """One shift with a lunch break on some weekdays, as a document and as the library's rules."""
    zone = draw(st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kolkata"]))
    opens, lunch, back, closes = sorted(
        draw(st.sets(st.integers(4 * 60, 23 * 60), min_size=4, max_size=4))
    )
    days = draw(st.sets(st.integers(0, 6), min_size=1))
    holidays = draw(st.sets(st.dates(date(2026, 1, 1), date(2026, 12, 31)), max_size=5))
    holidays |= ALWAYS_A_HOLIDAY
    shape = {
        "timezone": zone,
        "hours": {
            DAYS[day]: [[text(opens), text(lunch)], [text(back), text(closes)]] for day in days
        },
        "holidays": [day.isoformat() for day in holidays],
    }
    at = [time(minutes // 60, minutes % 60) for minutes in (opens, lunch, back, closes)]
    known = {"working_days": sorted(days), "tz": pytz.timezone(zone)}
    rules = businesstimedelta.Rules(
        [
            businesstimedelta.WorkDayRule(start_time=at[0], end_time=at[3], **known),
            businesstimedelta.LunchTimeRule(start_time=at[1], end_time=at[2], **known),
            businesstimedelta.HolidayRule(holidays, tz=known["tz"]),
        ]
    )
    return shape, rules


_moments = st.integers(0, 330 * 86_400).map(
    lambda seconds: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)


@settings(max_examples=60, deadline=None)
@given(shifts(), _moments, st.integers(0, 21 * 86_400), st.integers(1, 4 * 3600))
def test_a_shift_with_lunch_agrees_with_businesstimedelta_to_the_second(
    case, start, length, amount
):
    shape, rules = case
    calendar = parse_calendar(shape)
    passed = rules.difference(start, start + timedelta(seconds=length))
    assert calendar.between(start, start + timedelta(seconds=length)) == (
        passed.hours * 3600 + passed.seconds
    )
    reached = start + businesstimedelta.BusinessTimeDelta(rules, seconds=amount)
    assert calendar.between(start, reached) == amount
    assert (
        calendar.add(start, amount) <= reached
    )  # at a close the library waits for the next opening
    if calendar.is_open(reached - timedelta(seconds=1)):
        assert calendar.add(start, amount) == reached
