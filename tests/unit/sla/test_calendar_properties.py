"""The calendar against an oracle that knows nothing of it: second after second, another zone library."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import compress, count, islice

from dateutil import tz
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.calendar import NoOpenTime, parse_calendar

SECOND = timedelta(seconds=1)
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
# Zones with the dates around which their clocks change; Kolkata's never do. Not Casablanca's going
# back (2025-02-23): the oracle's library takes the hour after the repeated one for one that is
# skipped; test_calendar_zones.py has that day.
ANCHORS = [
    ("Europe/Berlin", date(2026, 3, 29)),
    ("Europe/Berlin", date(2026, 10, 25)),
    ("America/New_York", date(2026, 3, 8)),
    ("America/New_York", date(2026, 11, 1)),
    ("Australia/Lord_Howe", date(2026, 4, 5)),
    ("Australia/Lord_Howe", date(2026, 10, 4)),
    ("Asia/Kolkata", date(2026, 6, 1)),
    ("Africa/Casablanca", date(2025, 4, 6)),
    ("Pacific/Apia", date(2011, 12, 30)),
]
SPAN_DAYS = 9
SPAN_SECONDS = SPAN_DAYS * 86_400

_clock = st.builds(
    lambda hour, minute, second: f"{hour:02}:{minute:02}" + (f":{second:02}" if second else ""),
    st.integers(0, 23),
    st.sampled_from([0, 1, 15, 30, 45, 59]),
    st.sampled_from([0, 0, 1, 29, 59]),
)
_interval = st.tuples(_clock, st.one_of(_clock, st.just("24:00"))).filter(lambda i: i[0] != i[1])
_intervals = st.lists(_interval, max_size=3)


@st.composite
def calendars(draw):
    """A zone around a change of its clocks, and rules for the days there."""
    zone, anchor = draw(st.sampled_from(ANCHORS))
    days = [anchor + timedelta(days=n) for n in range(-4, 5)]
    some_days = st.dictionaries(st.sampled_from(days), _intervals, max_size=3)
    hours = {day: draw(_intervals) for day in DAYS}
    hours["wed"] = hours["wed"] or [("08:00", "12:00")]
    return (
        zone,
        anchor,
        {
            "timezone": zone,
            "hours": hours,
            "holidays": [d.isoformat() for d in draw(st.sets(st.sampled_from(days), max_size=2))],
            "overrides": {d.isoformat(): spans for d, spans in draw(some_days).items()},
            "breaks": {d.isoformat(): spans for d, spans in draw(some_days).items()},
        },
    )


class Oracle:
    """Every second around the anchor, open (1) or not (0)."""

    def __init__(self, anchor: date, data) -> None:
        zone = tz.gettz(data["timezone"])
        self.first = datetime.combine(anchor, time(), UTC) - timedelta(days=SPAN_DAYS // 2)
        self.open = bytearray(SPAN_SECONDS)
        days = [anchor + timedelta(days=shift) for shift in range(-SPAN_DAYS, SPAN_DAYS + 1)]
        for day in days:
            name = day.isoformat()
            if name not in data["holidays"]:
                spans = data["overrides"].get(name, data["hours"][DAYS[day.weekday()]])
                self._mark(1, day, spans, zone)
        for day in days:
            self._mark(0, day, data["breaks"].get(day.isoformat(), []), zone)

    def _mark(self, value, day, spans, zone):
        for opens, closes in spans:
            start, end = self._wall(day, opens), self._wall(day, closes)
            if end <= start:
                end += timedelta(days=1)
            for second in range(
                self.place(self._utc(start, zone)), self.place(self._utc(end, zone))
            ):
                if 0 <= second < SPAN_SECONDS:
                    self.open[second] = value

    def _wall(self, day, text):
        hour, minute, second = (*map(int, text.split(":")), 0)[:3]
        return datetime.combine(day, time()) + timedelta(hours=hour, minutes=minute, seconds=second)

    def _utc(self, wall, zone):
        return tz.resolve_imaginary(wall.replace(tzinfo=zone)).astimezone(UTC)

    def place(self, moment):
        return (moment - self.first) // SECOND

    def between(self, start, end):
        return sum(self.open[start:end])

    def add(self, start, seconds):
        """The second behind the one with which so many are open; None beyond what is known."""
        is_open = compress(count(start), self.open[start:])
        last = next(islice(is_open, seconds - 1, None), None)
        return None if last is None else last + 1


@settings(max_examples=150, deadline=None)
@given(calendars(), st.data())
def test_between_and_add_agree_with_counting_seconds(case, data):
    _, anchor, shape = case
    calendar, oracle = parse_calendar(shape), Oracle(anchor, shape)
    start = data.draw(st.integers(0, SPAN_SECONDS - 1))
    end = data.draw(st.integers(0, SPAN_SECONDS))
    began, ended = oracle.first + start * SECOND, oracle.first + end * SECOND
    assert calendar.between(began, ended) == oracle.between(start, end)
    seconds = data.draw(st.integers(1, 180_000))
    expected = oracle.add(start, seconds)
    found = oracle.place(calendar.add(began, seconds))
    assert found == expected if expected is not None else found > SPAN_SECONDS


@settings(max_examples=200, deadline=None)
@given(
    calendars(),
    st.integers(0, 40 * 86_400_000_000),
    st.integers(1, 10**12),
    st.integers(1, 10**12),
)
def test_adding_is_exact_additive_and_monotone_to_the_microsecond(case, offset, first, second):
    _, anchor, shape = case
    calendar = parse_calendar(shape)
    base = datetime.combine(anchor, time(), UTC) - timedelta(days=20)
    start = int(base.timestamp()) * 1_000_000 + offset
    reached = calendar.add_us(start, first)
    assert calendar.between_us(start, reached) == first
    assert calendar.between_us(start, reached - 1) == first - 1
    assert calendar.add_us(reached, second) == calendar.add_us(start, first + second)
    assert calendar.add_us(start, first + 1) > reached
    assert calendar.add_us(start + 1, first) >= reached
    opening = calendar.add_us(start, 0)
    assert calendar.between_us(start, opening) == 0
    assert calendar.between_us(opening, opening + 1) == 1


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 12 * 366 * 86_400), st.integers(1, 2 * 366 * 86_400))
def test_long_stretches_add_up_across_the_compiled_blocks(offset, seconds):
    hours = {day: [["09:00", "12:00"], ["13:00", "18:00"]] for day in DAYS[:5]}
    calendar = parse_calendar({"timezone": "America/New_York", "hours": hours})
    start = datetime(2015, 1, 1, tzinfo=UTC) + timedelta(seconds=offset)
    end = calendar.add(start, seconds)
    middle = start + (end - start) / 3
    assert calendar.between(start, end) == seconds
    assert calendar.between(start, middle) + calendar.between(middle, end) == seconds


@settings(max_examples=50, deadline=None)
@given(calendars(), st.integers(-(10**9), 10**9))
def test_a_calendar_is_the_same_whatever_it_was_asked_before(case, offset):
    _, anchor, shape = case
    used, fresh = parse_calendar(shape), parse_calendar(shape)
    start = datetime.combine(anchor, time(), UTC)
    try:
        used.add(start + timedelta(seconds=offset), 10_000_000)
    except NoOpenTime:
        used.add(start, 60)
    assert used.add(start, 7200) == fresh.add(start, 7200)
