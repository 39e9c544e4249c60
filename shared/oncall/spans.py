"""Stretches of somebody being on call: those of one layer, and layers laid over each other."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from shared.calendar.zones import zone_of
from shared.oncall.rota import WEEKDAYS, Layer, Rota, at_wall
from shared.oncall.wall import utc_of


class Span(msgspec.Struct, frozen=True, omit_defaults=True):
    """`agent_id` is on call in `[starts_at, ends_at)`, through this layer or override."""

    starts_at: datetime
    ends_at: datetime
    agent_id: str
    layer: str | None = None
    override_id: str | None = None

    def cut(self, start: datetime, end: datetime) -> "Span":
        """The part of it inside `[start, end)`; the caller knows that there is one."""
        if start <= self.starts_at and self.ends_at <= end:
            return self
        return msgspec.structs.replace(
            self, starts_at=max(start, self.starts_at), ends_at=min(end, self.ends_at)
        )


def rota_spans(rota: Rota, start: datetime, end: datetime) -> list[Span]:
    """Who is on call in `[start, end)` by the layers alone, in order; nobody: no span."""
    zone = zone_of(rota.timezone)
    found: list[Span] = []
    for layer in rota.layers:
        found = laid_over(found, layer_spans(layer, zone, start, end))
    return joined(found)


def layer_spans(layer: Layer, zone: ZoneInfo, start: datetime, end: datetime) -> list[Span]:
    """Who is on call in `[start, end)` through this layer, in order."""
    if layer.hours is None:
        return list(_turns(layer, zone, start, end))
    windows = _windows(layer, zone, start, end)
    return list(_meet(_turns(layer, zone, start, end), windows))


def laid_over(base: Sequence[Span], top: Sequence[Span]) -> list[Span]:
    """`top` where it has somebody, `base` elsewhere; both in order, as is the result."""
    if not top or not base:
        return list(top or base)
    found = list(top)
    place = 0
    for span in base:
        position = span.starts_at
        while place > 0 and top[place - 1].ends_at > position:
            place -= 1
        while place < len(top) and top[place].ends_at <= position:
            place += 1
        current = place
        while position < span.ends_at:
            hidden = top[current] if current < len(top) else None
            until = min(span.ends_at, hidden.starts_at) if hidden else span.ends_at
            if until > position:
                found.append(span.cut(position, until))
            position = max(until, hidden.ends_at) if hidden else span.ends_at
            current += 1
    return sorted(found, key=lambda span: span.starts_at)


def joined(spans: Iterable[Span]) -> list[Span]:
    """Spans that touch and say the same become one: who follows on themselves has no hand-over."""
    found: list[Span] = []
    for span in spans:
        last = found[-1] if found else None
        if (
            last is not None
            and last.ends_at == span.starts_at
            and (last.agent_id, last.layer, last.override_id)
            == (span.agent_id, span.layer, span.override_id)
        ):
            found[-1] = msgspec.structs.replace(last, ends_at=span.ends_at)
        else:
            found.append(span)
    return found


def _turns(layer: Layer, zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[Span]:
    """The turns that meet `[start, end)`, cut to it.

    Who is on call at an instant is whose turn began last, by the number of the turn: so a hand-over in an hour
    that clocks skip cannot bring an earlier turn back.
    """
    anchor, length = layer.first_turn, layer.rotation.length
    first = utc_of(anchor, zone)
    stop = end if layer.end is None else min(end, utc_of(layer.end, zone))
    start = max(start, first)
    if start >= stop:
        return
    # One more on both sides, and a day: wall and real time differ by no more than that.
    margin = timedelta(days=2)
    low = max(0, (_wall(start, zone) - margin - anchor) // length)
    high = max(low, (_wall(stop, zone) + margin - anchor) // length + 1)
    begins = [utc_of(anchor + number * length, zone) for number in range(low, high + 1)]
    for place in range(len(begins) - 2, -1, -1):
        begins[place] = min(begins[place], begins[place + 1])
    for place in range(len(begins) - 1):
        begin, over = max(start, begins[place]), min(stop, begins[place + 1])
        if begin < over:
            member = layer.members[(low + place) % len(layer.members)]
            yield Span(begin, over, member, layer.name)


def _windows(
    layer: Layer, zone: ZoneInfo, start: datetime, end: datetime
) -> list[tuple[datetime, datetime]]:
    """When the layer's hours are, united, around `[start, end)`."""
    assert layer.hours is not None
    day, last = _wall(start, zone).date() - timedelta(days=2), _wall(end, zone).date()
    edges: list[tuple[datetime, datetime]] = []
    while day <= last:
        for opens, closes in layer.hours.get(WEEKDAYS[day.weekday()], ()):
            opening, closing = at_wall(day, opens), at_wall(day, closes)
            if closing <= opening:
                closing += timedelta(days=1)
            edges.append((utc_of(opening, zone), utc_of(closing, zone)))
        day += timedelta(days=1)
    united: list[tuple[datetime, datetime]] = []
    for opened, closed in sorted(edge for edge in edges if edge[0] < edge[1]):
        if united and opened <= united[-1][1]:
            united[-1] = united[-1][0], max(united[-1][1], closed)
        else:
            united.append((opened, closed))
    return united


def _meet(turns: Iterable[Span], windows: Sequence[tuple[datetime, datetime]]) -> Iterator[Span]:
    place = 0
    for turn in turns:
        while place < len(windows) and windows[place][1] <= turn.starts_at:
            place += 1
        current = place
        while current < len(windows) and windows[current][0] < turn.ends_at:
            yield turn.cut(*windows[current])
            current += 1


def _wall(moment: datetime, zone: ZoneInfo) -> datetime:
    """What clocks on the wall show at a moment."""
    return moment.astimezone(UTC).astimezone(zone).replace(tzinfo=None)
