"""The instant that is asked for."""

from datetime import UTC, datetime, timedelta
from typing import Final

from shared.errors import Invalid

_CLOCKS_DIFFER_MAX: Final = timedelta(seconds=5)
_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)


def past_instant(asked: datetime, *, now: datetime | None = None) -> datetime:
    """The instant in UTC.

    Raises:
        Invalid: it has no offset, lies in the future (more than clocks differ), or before 1970.
    """
    if asked.tzinfo is None:
        raise Invalid.of("as_of", "expected a moment with its offset, such as 2026-01-31T09:00:00Z")
    if asked < _EARLIEST:
        raise Invalid.of("as_of", "lies before 1970")
    if asked > (now or datetime.now(UTC)) + _CLOCKS_DIFFER_MAX:
        raise Invalid.of("as_of", "lies in the future")
    return asked.astimezone(UTC)
