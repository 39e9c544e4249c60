"""Reading a rota's document; every refusal names its field."""

import re
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any, Final

import msgspec

from shared.calendar.zones import zone_of
from shared.errors import FieldError
from shared.identifiers import is_slug
from shared.oncall.rota import Layer, Rota, at_wall

LAYERS_MAX: Final = 20
MEMBERS_MAX: Final = 100
INTERVALS_MAX: Final = 24
"""Of one weekday: more than one an hour is a mistake."""

NAME_CHARS_MAX: Final = 200
EVERY_MAX: Final = {"hours": 24 * 366, "days": 366, "weeks": 53}
"""A turn lasts a year at most."""

_EARLIEST, _LATEST = date(1990, 1, 1), date(2200, 1, 1)
_WHERE = re.compile(r"^(?P<message>.*?)(?: - at `\$\.?(?P<field>.*)`)?$", re.DOTALL)


class InvalidRota(ValueError):
    """A rota is refused; `errors` names the wrong fields."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__("; ".join(f"{error.field}: {error.message}" for error in errors))
        self.errors = tuple(errors)


def parse_rota(document: Any) -> Rota:
    """Read and check a rota.

    Raises:
        InvalidRota: naming every wrong field.
    """
    try:
        rota = msgspec.convert(document, Rota)
    except msgspec.ValidationError as error:
        found = _WHERE.match(str(error))
        assert found is not None, "the pattern fits every text"
        raise InvalidRota([FieldError(found["field"] or "body", found["message"])]) from error
    errors = list(_problems(rota))
    if errors:
        raise InvalidRota(errors)
    return rota


def _problems(rota: Rota) -> Iterator[FieldError]:
    if not 0 < len(rota.name) <= NAME_CHARS_MAX:
        yield FieldError("name", f"must have 1 to {NAME_CHARS_MAX} characters")
    try:
        zone_of(rota.timezone)
    except KeyError:
        yield FieldError("timezone", "must be an IANA zone such as Europe/Berlin")
    if not 0 < len(rota.layers) <= LAYERS_MAX:
        yield FieldError("layers", f"must be 1 to {LAYERS_MAX} layers")
    names = [layer.name for layer in rota.layers]
    for place, layer in enumerate(rota.layers):
        at = f"layers[{place}]"
        if not 0 < len(layer.name) <= NAME_CHARS_MAX:
            yield FieldError(f"{at}.name", f"must have 1 to {NAME_CHARS_MAX} characters")
        elif layer.name in names[:place]:
            yield FieldError(f"{at}.name", "another layer has this name")
        yield from _layer_problems(layer, at)


def _layer_problems(layer: Layer, at: str) -> Iterator[FieldError]:
    if not 0 < len(layer.members) <= MEMBERS_MAX:
        yield FieldError(f"{at}.members", f"must be 1 to {MEMBERS_MAX} agents")
    for place, member in enumerate(layer.members):
        if not is_slug(member):
            yield FieldError(f"{at}.members[{place}]", "must be an agent's id")
    most = EVERY_MAX[layer.rotation.unit]
    if not 0 < layer.rotation.every <= most:
        yield FieldError(f"{at}.rotation.every", f"must be from 1 to {most}")
    if layer.hand_over_on is not None and layer.rotation.unit != "weeks":
        yield FieldError(f"{at}.hand_over_on", "is for turns of weeks only")
    yield from _time_problems(layer, at)
    if layer.hours is not None:
        if not any(layer.hours.values()):
            yield FieldError(f"{at}.hours", "must have an hour, or be left out")
        for weekday, intervals in layer.hours.items():
            yield from _hours_problems(intervals, f"{at}.hours.{weekday}")


def _time_problems(layer: Layer, at: str) -> Iterator[FieldError]:
    for name in ("starts_on", "ends_on"):
        day = getattr(layer, name)
        if day is not None and not _EARLIEST <= day <= _LATEST:
            yield FieldError(f"{at}.{name}", f"must be from {_EARLIEST} to {_LATEST}")
    if not _is_time(layer.hand_over_at) or layer.hand_over_at == "24:00":
        yield FieldError(f"{at}.hand_over_at", "must be a time of day such as 09:00")
    elif layer.end is not None and layer.end <= layer.first_turn:
        yield FieldError(
            f"{at}.ends_on", f"lies before the first turn, {layer.first_turn:%Y-%m-%d %H:%M}"
        )


def _hours_problems(intervals: Sequence[tuple[str, str]], at: str) -> Iterator[FieldError]:
    if len(intervals) > INTERVALS_MAX:
        yield FieldError(at, f"must be {INTERVALS_MAX} intervals at most")
    for place, (opens, closes) in enumerate(intervals):
        if not _is_time(opens) or not _is_time(closes) or opens == "24:00":
            yield FieldError(f"{at}[{place}]", 'must be two times of day such as ["18:00","08:00"]')
        elif opens == closes:
            yield FieldError(f"{at}[{place}]", "is empty; the whole day is 00:00 to 24:00")


def _is_time(text: str) -> bool:
    try:
        at_wall(_EARLIEST, text)
    except ValueError:
        return False
    return True
