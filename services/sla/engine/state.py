"""What the engine remembers of one ticket: small, JSON-encodable, replaced and never changed.

Moments inside the state are whole microseconds since 1970 (UTC), durations whole microseconds of
the clock's calendar: exact, and quick to compare. `encode` and `decode` give the stored form.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import msgspec

from services.sla.engine.facts import Fact
from services.sla.engine.outcomes import NeedsReview

RUNNING, PAUSED, MET, CANCELLED, LATENT = "running", "paused", "met", "cancelled", "latent"
"""States of a clock. `latent`: it was started, but no policy has a target for it now (S13)."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Clock(msgspec.Struct, kw_only=True, array_like=True):
    """The latest cycle of one metric. `pauses` is flat: from, to, from, to …, all finished."""

    metric: str
    cycle: int
    status: str
    started_us: int
    target_us: int = 0
    calendar_id: str | None = None
    calendar_version: int | None = None
    running_since_us: int | None = None
    paused_since_us: int | None = None
    consumed_us: int = 0  # calendar time of the finished running spans
    pauses: list[int] = []
    due_us: int | None = None
    warning_us: int | None = None
    warning_key: int = 0  # percent if positive, seconds before due if negative
    warned: list[int] = []
    breached_us: int | None = None
    stopped_us: int | None = None

    @property
    def is_open(self) -> bool:
        """Running or paused: it still promises something."""
        return self.status in (RUNNING, PAUSED)

    @property
    def is_alive(self) -> bool:
        """Open, or waiting for a policy that promises it."""
        return self.status in (RUNNING, PAUSED, LATENT)


class State(msgspec.Struct, kw_only=True):
    """Everything the next fact needs. Treat as immutable; `fold` and `advance` return a new one.

    `next_us`: when time itself will next have something to say. `journal`: the latest facts, so
    that a late one can be put into its place (S20). `base`: the state before them, without what is kept
    here; `None` while the journal is whole, from the creation on.
    """

    category: str
    priority: str
    attributes: dict[str, Any] = {}
    policy_id: str | None = None
    policy_version: int | None = None
    clocks: list[Clock] = []
    first_replied: bool = False
    chosen_policy_id: str | None = None  # put under it by a person, whatever its conditions say
    ended: str | None = None  # merged, deleted, spam, anonymised: nothing counts any more
    created_us: int | None = None
    last_us: int = 0  # the latest fact
    spoke_us: int = 0  # the latest warning or breach
    next_us: int | None = None
    retractions: dict[str, int] = {}  # "metric:cycle" to how often its breach was taken back
    reviews: list[NeedsReview] = []  # breaches that a person has to decide about
    journal: list[Fact] = []
    journal_is_whole: bool = True
    base: "State | None" = None

    def clock(self, metric: str) -> Clock | None:
        """Return the latest cycle of this metric, if it ever started."""
        for clock in self.clocks:
            if clock.metric == metric:
                return clock
        return None

    def review(self, metric: str, cycle: int) -> NeedsReview | None:
        """Return the breach of this cycle that waits for a person's decision."""
        for asked in self.reviews:
            if (asked.metric, asked.cycle) == (metric, cycle):
                return asked
        return None


def to_us(moment: datetime) -> int:
    """Turn an aware moment into microseconds since 1970; a naive one is a `ValueError`."""
    if moment.tzinfo is None:
        raise ValueError(f"a moment without a time zone cannot be judged: {moment.isoformat()}")
    return (moment - EPOCH) // _MICROSECOND


@lru_cache(maxsize=4_096)  # the same starts and deadlines are told again and again
def to_moment(us: int) -> datetime:
    """Turn microseconds since 1970 into an aware UTC moment."""
    return EPOCH + timedelta(microseconds=us)


def to_seconds(us: int) -> int | float:
    """Turn microseconds into seconds, a whole number where it is whole."""
    return us / 1_000_000 if us % 1_000_000 else us // 1_000_000


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(State)


def encode(state: State) -> bytes:
    """Encode for storage."""
    return _encoder.encode(state)


def decode(data: bytes | str) -> State:
    """Decode what `encode` wrote; anything else is a `msgspec.DecodeError`."""
    return _decoder.decode(data)
