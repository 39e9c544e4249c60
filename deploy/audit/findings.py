"""What a verification found, and how far it is."""

from dataclasses import dataclass, field
from typing import Final, Protocol
from uuid import UUID

KEPT_MAX: Final = 1_000
"""Findings kept of one service; past this they are only counted."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something is not what was sealed. `position` is the place in commit order; None: the finding is about no row."""

    service: str
    what: str
    stream: UUID | None = None
    version: int | None = None
    position: int | None = None

    def __str__(self) -> str:
        """One line for people."""
        place = f" {self.stream} version {self.version}" if self.stream else ""
        return f"{self.service}{place}: {self.what}"


@dataclass(slots=True)
class Verdict:
    """What became of one service's check.

    Attributes:
        events: rows that were read and hashed in commit order.
        unsealed: rows at the end that no seal covers yet.
        is_signed: whether signatures were checked; hashes alone can be computed by anybody.
        notes: what was not checked, and why.
    """

    service: str
    events: int = 0
    streams: int = 0
    seals: int = 0
    days: int = 0
    unsealed: int = 0
    seconds: float = 0.0
    findings: list[Finding] = field(default_factory=list)
    findings_count: int = 0
    is_signed: bool = True
    notes: list[str] = field(default_factory=list)
    _named: set[tuple[UUID, int | None]] = field(default_factory=set)

    def add(
        self,
        what: str,
        *,
        stream: bytes | UUID | None = None,
        version: int | None = None,
        position: int | None = None,
    ) -> None:
        """Note a finding; an event is named once, by the first check that met it."""
        stream_id = UUID(bytes=stream) if isinstance(stream, bytes) else stream
        if stream_id is not None:
            if (stream_id, version) in self._named or (stream_id, None) in self._named:
                return
            self._named.add((stream_id, version))
        self.findings_count += 1
        if len(self.findings) < KEPT_MAX:
            self.findings.append(Finding(self.service, what, stream_id, version, position))

    def has_named(self, stream: bytes) -> bool:
        """Whether an event of this stream is among the findings."""
        wanted = UUID(bytes=stream)
        return any(named == wanted for named, _ in self._named)

    @property
    def is_good(self) -> bool:
        """Whether everything is as it was sealed."""
        return not self.findings_count

    @property
    def first(self) -> Finding | None:
        """The bad event that comes first in commit order; else the first finding about no single event."""
        placed = [finding for finding in self.findings if finding.position is not None]
        if placed:
            return min(placed, key=lambda finding: finding.position or 0)
        return self.findings[0] if self.findings else None


class Progress(Protocol):
    """Is told how far a check is."""

    def begin(self, what: str, total: int) -> None:
        """A part of the check begins; `total` events, about."""

    def advance(self, count: int) -> None:
        """So many more are done."""


class Quiet:
    """Nobody watches."""

    def begin(self, what: str, total: int) -> None:
        """Nothing."""

    def advance(self, count: int) -> None:
        """Nothing."""
