"""When rows were recorded beside when they were sealed: seals can be removed and made anew, the moments then differ."""

from datetime import UTC, datetime, timedelta
from typing import Final

from deploy.audit.source import Row

UNSEALED_MAX: Final = timedelta(seconds=60)
"""A row that has stood longer than this without a seal is a finding: the seals that held it may have been removed."""

LATE_MAX: Final = timedelta(minutes=10)
"""How long a service may record without sealing: its sealer looks every second, and pauses 30 s at most."""

_CLOCK_MAX: Final = timedelta(seconds=60)
"""By how much clocks of the same service's processes may differ."""

_EVER: Final = datetime.fromtimestamp(0, UTC)

NO_EVENT: Final = "is no event: it does not say when it was recorded"


class Lateness:
    """Judges each row by its time of recording.

    Whoever removes the seals and waits for the next start of the service lets the service itself seal and sign what
    is there by then. That shows: rows were recorded one after the other, and sealed at once much later. After a crash
    the last second is sealed late as well; so a row is late only if its service had gone on recording for `LATE_MAX`
    after the seal before.

    Rows stand in the order of their commits, and so, but for what is under way at one time, of their recording: what
    says that it was recorded `LATE_MAX` before something that was sealed earlier was put there later.

    Args:
        sealing_since: what was recorded before may have been sealed late: sealing was switched on only then, or
            somebody knows why it stood still.
    """

    def __init__(self, sealing_since: datetime | None = None) -> None:
        self._since = sealing_since
        self._before: datetime | None = None
        self._newest = _EVER
        """The latest recording of the seals that are through."""
        self._newest_here = _EVER

    def of_sealed(self, row: Row, sealed_at: datetime) -> str | None:
        """What is wrong with a row that is as it was sealed at this moment; None: nothing."""
        if row.recorded_at is None:
            return NO_EVENT
        if self._before is None:
            self._before = row.recorded_at  # the first of the log
        if row.recorded_at - sealed_at > _CLOCK_MAX:
            return f"says it was recorded at {row.recorded_at}, after it was sealed ({sealed_at})"
        if self._since is not None and row.recorded_at < self._since:
            return None
        if (behind := self._behind(row.recorded_at)) is not None:
            return behind
        self._newest_here = max(self._newest_here, row.recorded_at)
        late = sealed_at - row.recorded_at
        if late > LATE_MAX and row.recorded_at - self._before > LATE_MAX:
            return (
                f"was sealed {late} after it was recorded, while the service went on recording:"
                " older seals were removed, or sealing stood still"
            )
        return None

    def seal_ends(self, sealed_at: datetime) -> None:
        """The rows of this seal are through; what follows was recorded later."""
        self._before = sealed_at
        self._newest = self._newest_here

    def _behind(self, recorded_at: datetime) -> str | None:
        if (distance := self._newest - recorded_at) <= LATE_MAX:
            return None
        return (
            f"says it was recorded {distance} before events that were sealed earlier: was inserted"
        )

    def of_unsealed(self, row: Row, now: datetime) -> str | None:
        """What is wrong with a row that has no seal yet; None: nothing."""
        if row.recorded_at is None:
            return NO_EVENT
        if (behind := self._behind(row.recorded_at)) is not None:
            return behind
        age = now - row.recorded_at
        if age > UNSEALED_MAX:
            return (
                f"has stood without a seal for {age.total_seconds():.0f} s: the service does not run,"
                " or seals were removed"
            )
        if -age > _CLOCK_MAX:
            return f"says it was recorded at {row.recorded_at}, which is to come"
        return None
