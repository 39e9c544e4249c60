"""A rota as people describe it: layers of people who take turns, in the wall time of one zone."""

from datetime import date, datetime, time, timedelta
from typing import Final, Literal

import msgspec

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: Final[tuple[Weekday, ...]] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Rotation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long one turn is: `every` hours, days or weeks of the clock on the wall."""

    unit: Literal["hours", "days", "weeks"] = "weeks"
    every: int = 1

    @property
    def length(self) -> timedelta:
        """The length of a turn in wall time: 24 h on the wall may be 23 or 25 real ones."""
        return timedelta(**{self.unit: self.every})


class Layer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """People who take turns. `members[0]` has the first turn.

    Attributes:
        starts_on: the first turn begins at the first hand-over on or after this date (wall time).
        ends_on: nobody is on call through this layer from this date's hand-over on.
        hand_over_at: wall time of the hand-over, `HH:MM`.
        hand_over_on: weekday of the hand-over when turns are weeks; else the weekday of `starts_on`.
        hours: the hours of the week it covers, weekday → `[["18:00", "08:00"], …]`; a close at or
            before the open is overnight and belongs to the opening day; `None`: always.
    """

    name: str
    members: tuple[str, ...]
    starts_on: date
    ends_on: date | None = None
    rotation: Rotation = Rotation()
    hand_over_at: str = "09:00"
    hand_over_on: Weekday | None = None
    hours: dict[Weekday, tuple[tuple[str, str], ...]] | None = None

    @property
    def first_turn(self) -> datetime:
        """When the first turn begins, in wall time."""
        day = self.starts_on
        if self.hand_over_on is not None:
            day += timedelta(days=(WEEKDAYS.index(self.hand_over_on) - day.weekday()) % 7)
        return at_wall(day, self.hand_over_at)

    @property
    def end(self) -> datetime | None:
        """When it ends, in wall time."""
        return at_wall(self.ends_on, self.hand_over_at) if self.ends_on is not None else None


class Rota(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Layers in order: where a later one has somebody, it stands before the earlier ones."""

    name: str
    timezone: str
    layers: tuple[Layer, ...]


def at_wall(day: date, clock: str) -> datetime:
    """The wall time `HH:MM` of a day; `24:00` is the next day's beginning.

    Raises:
        ValueError: it is no time of day.
    """
    hours, colon, minutes = clock.partition(":")
    if len(hours) != 2 or len(minutes) != 2 or not colon or not (hours + minutes).isdecimal():  # noqa: PLR2004  # HH:MM
        raise ValueError(clock)
    if clock == "24:00":
        return datetime.combine(day, time()) + timedelta(days=1)
    return datetime.combine(day, time(int(hours), int(minutes)))
