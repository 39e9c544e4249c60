"""The arithmetic of open time: an immutable calendar, compiled lazily into sorted UTC intervals.

Time is compiled in blocks of about seven weeks; inside a block every question is two bisections,
over longer stretches whole blocks are jumped. Nothing ever steps through time (bug 10).
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property, lru_cache
from zoneinfo import ZoneInfo

from shared.calendar.zones import zone_of

Interval = tuple[int, int]
"""Wall seconds since midnight of the opening date; the close is over 86,400 when overnight (C2)."""

SEARCH_YEARS = 10
"""How far a deadline is searched before `NoOpenTime` (C9)."""
SPAN_YEARS = 100
"""The longest stretch `between` measures: more is a mistake, and would compile for minutes."""

_BLOCK_BITS = (
    42  # 2**42 microseconds: 51 days; a calendar asked only once costs little, a long jump too
)
_DAY_SECONDS = 86_400
_DAY_US = _DAY_SECONDS * 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = _EPOCH.toordinal()
_FIRST_DAY, _LAST_DAY = date.min.toordinal(), date.max.toordinal() - 2
_MICROSECOND = timedelta(microseconds=1)
_YEAR_US = 366 * _DAY_SECONDS * 1_000_000
_ALL_DAY: tuple[Interval, ...] = ((0, _DAY_SECONDS),)


class NoOpenTime(ValueError):
    """Not enough open time within the search bound or the span bound (C9)."""


@dataclass(frozen=True, kw_only=True)
class Calendar:
    """When the desk is open: one immutable version (C1).

    `hours` has seven entries, Monday first. `holidays` are closed, `overrides` replace a date's
    hours, `breaks` close a wall-time span of a date, also inside an overnight tail (C3). With
    `previous` and `effective_from`, dates before it keep the previous version's rules (S12).
    `in_force_from` says from when this version is used for new clocks (`None`: since ever).
    """

    id: str = ""
    version: int = 1
    timezone: str = "UTC"
    hours: tuple[tuple[Interval, ...], ...] = (_ALL_DAY,) * 7
    holidays: frozenset[date] = frozenset()
    overrides: Mapping[date, tuple[Interval, ...]] = field(default_factory=dict)
    breaks: Mapping[date, tuple[Interval, ...]] = field(default_factory=dict)
    in_force_from: datetime | None = None
    effective_from: date | None = None
    previous: "Calendar | None" = None

    def add(self, start: datetime, seconds: float) -> datetime:
        """Return the earliest moment (UTC) at which so many open seconds have passed (C7).

        Zero gives `start` if open, else the next opening; negative is a `ValueError`.

        Raises:
            NoOpenTime: nothing within `SEARCH_YEARS` of `start`.
        """
        reached_us = self.add_us(_to_us(start), round(seconds * 1_000_000))
        try:
            return _EPOCH + timedelta(microseconds=reached_us)
        except OverflowError as error:
            raise NoOpenTime("the end of the calendar of dates is reached") from error

    def between(self, start: datetime, end: datetime) -> int | float:
        """Return the open seconds in `[start, end)`; 0 if reversed. Whole numbers are ints.

        Raises:
            NoOpenTime: the stretch is longer than `SPAN_YEARS`.
        """
        us = self.between_us(_to_us(start), _to_us(end))
        return us / 1_000_000 if us % 1_000_000 else us // 1_000_000

    def is_open(self, moment: datetime) -> bool:
        """Say whether this moment is inside an interval `[open, close)`."""
        us = _to_us(moment)
        return self.between_us(us, us + 1) == 1

    def add_us(self, start_us: int, amount_us: int) -> int:
        """`add` in whole microseconds since 1970."""
        if amount_us < 0:
            raise ValueError("time can only be added forwards")
        if self.is_always_open:
            return start_us + amount_us
        number = start_us >> _BLOCK_BITS
        block = self._blocks.get(number) or self._compile(number)
        index = bisect_right(block.closes, start_us)
        if index < len(block.closes):
            opened = block.opens[index]
            if amount_us == 0:
                return max(start_us, opened)
            goal = block.before[index] + amount_us
            if start_us > opened:
                goal += start_us - opened
        else:
            goal = block.total + amount_us
        limit_us = start_us + SEARCH_YEARS * _YEAR_US
        if amount_us == 0:  # the first opening of a later block
            goal += 1
        while goal > block.total:
            goal -= block.total
            number += 1
            if number << _BLOCK_BITS > limit_us:
                raise self._too_little(start_us)
            block = self._blocks.get(number) or self._compile(number)
        index = bisect_left(block.through, goal)
        reached = block.closes[index] - (block.through[index] - goal) - (amount_us == 0)
        if reached > limit_us:
            raise self._too_little(start_us)
        return reached

    def between_us(self, start_us: int, end_us: int) -> int:
        """`between` in whole microseconds."""
        if end_us <= start_us:
            return 0
        if self.is_always_open:
            return end_us - start_us
        first, last = start_us >> _BLOCK_BITS, end_us >> _BLOCK_BITS
        block = self._blocks.get(first) or self._compile(first)
        passed = -block.elapsed(start_us)
        if first != last:
            if end_us - start_us > SPAN_YEARS * _YEAR_US:
                raise NoOpenTime(f"more than {SPAN_YEARS} years are not measured")
            passed += block.total
            for number in range(first + 1, last):
                passed += (self._blocks.get(number) or self._compile(number)).total
            block = self._blocks.get(last) or self._compile(last)
        return passed + block.elapsed(end_us)

    @cached_property
    def is_always_open(self) -> bool:
        """24x7: arithmetic without compiling anything."""
        return (
            all(day == _ALL_DAY for day in self.hours)
            and not self.holidays
            and not self.overrides
            and not self.breaks
            and (self.previous is None or self.previous.is_always_open)
        )

    def opens_within(self, first: date, days: int = 366) -> bool:
        """Say whether there is an open second in these dates (C8)."""
        day = first.toordinal()
        return any(True for _ in self._open_spans(day, day + days))

    def open_intervals(self, first: date, end: date) -> Iterator[tuple[datetime, datetime]]:
        """The open intervals of the local dates from `first` on and before `end`, in order and apart, in UTC."""
        for opened, closed in self._open_spans(first.toordinal(), end.toordinal()):
            yield _EPOCH + opened * _MICROSECOND, _EPOCH + closed * _MICROSECOND

    @property
    def compiled_count(self) -> int:
        """How many blocks of seven weeks are compiled: what this calendar holds in memory."""
        return len(self._blocks)

    def _too_little(self, start_us: int) -> NoOpenTime:
        return NoOpenTime(
            f"calendar {self.id or '(unnamed)'} has too little open time within"
            f" {SEARCH_YEARS} years of {_EPOCH + start_us * _MICROSECOND:%Y-%m-%d}"
        )

    @cached_property
    def _zone(self) -> ZoneInfo:
        return zone_of(self.timezone)

    @cached_property
    def _blocks(self) -> dict[int, "_Block"]:
        return {}

    def _compile(self, number: int) -> "_Block":
        start_us, end_us = number << _BLOCK_BITS, (number + 1) << _BLOCK_BITS
        # Two days of margin: local dates are up to a day off, overnight tails another.
        first = _EPOCH_DAY + start_us // _DAY_US - 2
        last = _EPOCH_DAY + end_us // _DAY_US + 2
        if first < _FIRST_DAY or last > _LAST_DAY:
            raise NoOpenTime("the end of the calendar of dates is reached")
        block = _Block(
            (max(opened, start_us), min(closed, end_us))
            for opened, closed in self._open_spans(first, last)
            if closed > start_us and opened < end_us
        )
        self._blocks[number] = block  # whole or not at all: safe between threads
        return block

    def _open_spans(self, first: int, last: int) -> Iterator[Interval]:
        opened = _united(self._edges(first, last, of_breaks=False))
        closed = list(_united(self._edges(first, last, of_breaks=True)))
        return _without(opened, closed) if closed else opened

    def _edges(self, first: int, last: int, *, of_breaks: bool) -> list[Interval]:
        """Turn the days `[first, last)`, as ordinals, to UTC spans, each edge by itself (C5)."""
        spans: list[Interval] = []
        if self.previous is not None and self.effective_from is not None:
            change = self.effective_from.toordinal()
            if first < change:
                spans = self.previous._edges(first, min(last, change), of_breaks=of_breaks)  # noqa: SLF001
            first = max(first, change)
        if first >= last:
            return spans
        offsets = _offsets(self.timezone, first, last)
        for day in self._days_of_breaks(first, last) if of_breaks else range(first, last):
            intervals = self._breaks[day] if of_breaks else self._hours_of(day)
            if not intervals:
                continue
            place = day - first
            offset = offsets[place]
            midnight = (day - _EPOCH_DAY) * _DAY_SECONDS
            # Unless the clocks change in the two days that an interval can reach into, it is plain arithmetic.
            plain = offset == offsets[place + 1] == offsets[place + 2]
            for opens, closes in intervals:
                if plain:
                    opened = (midnight + opens - offset) * 1_000_000
                    closed = (midnight + closes - offset) * 1_000_000
                else:
                    opened = _instant(day, opens, self._zone)
                    closed = _instant(day, closes, self._zone)
                if opened < closed:  # a gap can empty an interval
                    spans.append((opened, closed))
        return spans

    def _hours_of(self, day: int) -> tuple[Interval, ...]:
        if day in self._closed:
            return ()
        override = self._overridden.get(day)
        return self.hours[(day + 6) % 7] if override is None else override

    def _days_of_breaks(self, first: int, last: int) -> list[int]:
        return sorted(day for day in self._breaks if first <= day < last)

    @cached_property
    def _closed(self) -> frozenset[int]:
        return frozenset(day.toordinal() for day in self.holidays)

    @cached_property
    def _overridden(self) -> dict[int, tuple[Interval, ...]]:
        return {day.toordinal(): intervals for day, intervals in self.overrides.items()}

    @cached_property
    def _breaks(self) -> dict[int, tuple[Interval, ...]]:
        return {day.toordinal(): intervals for day, intervals in self.breaks.items()}


class _Block:
    """Sorted open intervals with running totals: before each, and through each."""

    __slots__ = ("before", "closes", "opens", "through", "total")

    def __init__(self, spans: Iterable[Interval]) -> None:
        self.opens: list[int] = []
        self.closes: list[int] = []
        self.before: list[int] = []
        self.through: list[int] = []
        total = 0
        for opened, closed in spans:
            self.opens.append(opened)
            self.closes.append(closed)
            self.before.append(total)
            total += closed - opened
            self.through.append(total)
        self.total = total

    def elapsed(self, us: int) -> int:
        """Open microseconds of this block before this instant."""
        index = bisect_right(self.closes, us)
        if index == len(self.closes):
            return self.total
        inside = us - self.opens[index]
        return self.before[index] + inside if inside > 0 else self.before[index]


def _united(spans: list[Interval]) -> Iterator[Interval]:
    """Join overlapping and touching spans, so that nothing counts twice (C4)."""
    current: Interval | None = None
    for opened, closed in sorted(spans):
        if current is None:
            current = (opened, closed)
        elif opened <= current[1]:
            current = (current[0], max(current[1], closed))
        else:
            yield current
            current = (opened, closed)
    if current is not None:
        yield current


def _without(spans: Iterable[Interval], cuts: list[Interval]) -> Iterator[Interval]:
    """Cut spans out of spans; both sorted and disjoint."""
    first = 0
    for span_open, closed in spans:
        opened = span_open
        while first < len(cuts) and cuts[first][1] <= opened:
            first += 1
        index = first
        while index < len(cuts) and cuts[index][0] < closed:
            if opened < cuts[index][0]:
                yield opened, cuts[index][0]
            opened = max(opened, cuts[index][1])
            index += 1
        if opened < closed:
            yield opened, closed


@lru_cache(maxsize=1024)  # blocks of zones, a few kB each
def _offsets(timezone: str, first: int, last: int) -> tuple[int, ...]:
    """Seconds east of UTC at each midnight of `[first, last + 2)`.

    Equal ones at neighbouring midnights mean that the clocks did not change between: no zone has
    ever changed them twice within two days and back (a test asks the zone data for it).
    """
    zone = zone_of(timezone)
    days = range(first, min(last + 2, _LAST_DAY + 1))
    found = [_offset_of(datetime.fromordinal(day).replace(tzinfo=zone)) for day in days]
    return (*found, *found[-1:] * (last + 2 - first - len(found)))


def _offset_of(moment: datetime) -> int:
    offset = moment.utcoffset() or timedelta()
    return offset.days * _DAY_SECONDS + offset.seconds


def _instant(ordinal: int, seconds: int, zone: ZoneInfo) -> int:
    """Turn a wall time to UTC: a gap moves it forward, an ambiguous time is the first (C5)."""
    days, rest = divmod(seconds, _DAY_SECONDS)
    wall = datetime.fromordinal(ordinal + days).replace(tzinfo=zone) + timedelta(seconds=rest)
    return (wall - _EPOCH) // _MICROSECOND


def _to_us(moment: datetime) -> int:
    if moment.tzinfo is None:
        raise ValueError(f"a moment needs a time zone: {moment.isoformat()}")
    return (moment - _EPOCH) // _MICROSECOND
