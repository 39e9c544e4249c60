"""What may be said about how a group shares out its work: weights, stickiness, rate limit. Faults name their field."""

from collections.abc import Collection, Iterator, Mapping
from typing import Final

from shared.errors import FieldError
from shared.events.agents import RateLimit

WEIGHT_MAX: Final = 1_000
"""A share finer than a thousandth shows in nobody's day."""

RATE_COUNT_MAX: Final = 100
"""So many moments are kept with each agent: 3 kB in a row that is written with every assignment."""

RATE_SECONDS_MAX: Final = 86_400
"""A day. What shall hold longer is a limit of capacity."""

STICKY_SECONDS_MAX: Final = 366 * 86_400
"""A year: customers are forgotten after it."""


def sharing_faults(
    weights: Mapping[str, int],
    sticky_seconds: int | None,
    rate_limit: RateLimit | None,
    agents: Collection[str],
) -> Iterator[FieldError]:
    """Everything that is wrong, each with its path; nothing when it can be used. `agents`: those there are."""
    for agent_id, weight in weights.items():
        field = f"weights.{agent_id[:64]}"
        if agent_id not in agents:
            yield FieldError(field, f"there is no agent {agent_id[:64]!r}")
        elif not 1 <= weight <= WEIGHT_MAX:
            yield FieldError(field, f"1 to {WEIGHT_MAX}")
    if sticky_seconds is not None and not 1 <= sticky_seconds <= STICKY_SECONDS_MAX:
        yield FieldError("sticky_seconds", f"1 to {STICKY_SECONDS_MAX}, or null for not sticky")
    if rate_limit is not None:
        if not 1 <= rate_limit.count <= RATE_COUNT_MAX:
            yield FieldError("rate_limit.count", f"1 to {RATE_COUNT_MAX}")
        if not 1 <= rate_limit.seconds <= RATE_SECONDS_MAX:
            yield FieldError("rate_limit.seconds", f"1 to {RATE_SECONDS_MAX}")
