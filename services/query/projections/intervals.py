"""Where a stretch of time stands in a relational interval tree, and where an instant must look. Pure.

The tree is virtual: its nodes are the microseconds since 1970, and those divisible by the higher power of two stand
higher. A stretch is kept at the highest node that lies in it; an instant meets one node a level on its way down.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

LEVELS: Final = 52
"""2^52 microseconds reach into the year 2112."""


def fork_node(start: datetime, end: datetime) -> int:
    """The node of the half-open stretch [start, end), which must not be empty."""
    first, last = _microseconds(start), _microseconds(end) - 1
    height = ((first - 1) ^ last).bit_length() - 1
    return last >> height << height


def nodes_of(instant: datetime) -> list[int]:
    """Every node at which a stretch that contains the instant can be kept, the lowest first."""
    at = _microseconds(instant)
    return [(at >> level + 1 << level + 1) + (1 << level) for level in range(LEVELS)]


def _microseconds(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND
