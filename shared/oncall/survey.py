"""What in a rota is probably a mistake: times when nobody is on call, and times when two layers have somebody."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

import msgspec

from shared.calendar.zones import zone_of
from shared.oncall.rota import Rota
from shared.oncall.spans import Span, layer_spans, rota_spans

HORIZON: Final = timedelta(days=366)
"""A year meets every weekday, both changes of the clocks and almost every whole round of turns."""


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """The first of them as an example; `layers`: of an overlap, the hidden one and the one that hides it."""

    count: int
    seconds: int
    first_from: datetime
    first_until: datetime
    layers: tuple[str, ...] = ()


class Survey(msgspec.Struct, frozen=True):
    """The coming year of a rota; `None`: there are none. `covered_seconds` 0: it never has anybody."""

    surveyed_from: datetime
    surveyed_until: datetime
    covered_seconds: int
    gaps: Finding | None
    overlaps: Finding | None


def survey(rota: Rota, start: datetime) -> Survey:
    """Look at the year from `start` on."""
    end = start + HORIZON
    spans = rota_spans(rota, start, end)
    gaps: list[tuple[datetime, datetime, tuple[str, ...]]] = []
    position = start
    for span in spans:
        if span.starts_at > position:
            gaps.append((position, span.starts_at, ()))
        position = span.ends_at
    if position < end:
        gaps.append((position, end, ()))
    return Survey(
        surveyed_from=start,
        surveyed_until=end,
        covered_seconds=_seconds((span.starts_at, span.ends_at, ()) for span in spans),
        gaps=_finding(gaps),
        overlaps=_finding(_overlaps(rota, start, end)),
    )


def _overlaps(
    rota: Rota, start: datetime, end: datetime
) -> list[tuple[datetime, datetime, tuple[str, ...]]]:
    zone = zone_of(rota.timezone)
    layers = [_united(layer_spans(layer, zone, start, end)) for layer in rota.layers]
    found: list[tuple[datetime, datetime, tuple[str, ...]]] = []
    for low, below in enumerate(layers):
        for high in range(low + 1, len(layers)):
            names = rota.layers[low].name, rota.layers[high].name
            found += [(*both, names) for both in _common(below, layers[high])]
    return sorted(found)


def _united(spans: Iterable[Span]) -> list[tuple[datetime, datetime]]:
    found: list[tuple[datetime, datetime]] = []
    for span in spans:
        if found and found[-1][1] == span.starts_at:
            found[-1] = found[-1][0], span.ends_at
        else:
            found.append((span.starts_at, span.ends_at))
    return found


def _common(
    one: list[tuple[datetime, datetime]], other: list[tuple[datetime, datetime]]
) -> Iterable[tuple[datetime, datetime]]:
    first = second = 0
    while first < len(one) and second < len(other):
        start = max(one[first][0], other[second][0])
        end = min(one[first][1], other[second][1])
        if start < end:
            yield start, end
        if one[first][1] <= other[second][1]:
            first += 1
        else:
            second += 1


def _finding(found: list[tuple[datetime, datetime, tuple[str, ...]]]) -> Finding | None:
    if not found:
        return None
    start, end, layers = found[0]
    return Finding(len(found), _seconds(found), start, end, layers)


def _seconds(found: Iterable[tuple[datetime, datetime, tuple[str, ...]]]) -> int:
    return int(sum((end - start).total_seconds() for start, end, _ in found))
