"""What was measured: figures with their limits and goals, and the JSON that keeps them."""

import math
import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import msgspec

_PACKAGES: Final = (
    "aiokafka",
    "eventsourcing",
    "fastapi",
    "faststream",
    "granian",
    "psycopg",
    "uvicorn",
    "uvloop",
)

UNSTEADY: Final = 1.5
"""Rounds of one figure that differ by more than this were not measured on the same machine, so to say."""


class Missed(Exception):
    """The product did something wrong while it was measured; a figure of that would be worth nothing."""


class Goal(msgspec.Struct, frozen=True):
    """What a figure is held against. Any of the three may be left out.

    Attributes:
        at_least, at_most: of the figure itself, in its unit.
        share_of_limit: of the limit measured in the same run, 0 to 1.
    """

    at_least: float | None = None
    at_most: float | None = None
    share_of_limit: float | None = None


class Figure(msgspec.Struct, kw_only=True):
    """One measured value.

    Attributes:
        section: which measurement it belongs to.
        name: what it is, in a few words.
        value: in `unit`.
        limit: the same work without the product, on the same machine, in the same run.
        limit_name: what that was.
        core_ms, limit_core_ms: processor time of the measured process for one unit of work. Neighbours on the
            machine move these far less than they move the rates.
        rounds, limit_rounds: the single measurements behind the two medians.
        details: everything else worth keeping, such as percentiles.
    """

    section: str
    name: str
    value: float
    unit: str
    limit: float | None = None
    limit_name: str | None = None
    core_ms: float | None = None
    limit_core_ms: float | None = None
    rounds: list[float] = []
    limit_rounds: list[float] = []
    goal: Goal | None = None
    details: dict[str, Any] = {}

    @property
    def share(self) -> float | None:
        """How much of the limit was reached."""
        return self.value / self.limit if self.limit else None

    @property
    def core_share(self) -> float | None:
        """The same of the processor: how much of our time the limit's work alone takes."""
        return self.limit_core_ms / self.core_ms if self.core_ms and self.limit_core_ms else None

    @property
    def doubts(self) -> list[str]:
        """Why the figure may say more about the machine's other work than about the product."""
        found = []
        if self.share is not None and self.share > 1:
            found.append("above its limit, so the limit was disturbed")
        for name, rounds in (("rounds", self.rounds), ("limit's rounds", self.limit_rounds)):
            if len(rounds) > 1 and max(rounds) > UNSTEADY * min(rounds):
                found.append(f"{name} differ {max(rounds) / min(rounds):.1f}-fold")
        return found

    @property
    def is_met(self) -> bool | None:
        """Whether every part of the goal holds; None without a goal, or with a limit that cannot be one."""
        goal, share = self.goal, self.share
        if goal is None or (goal.share_of_limit is not None and share is not None and share > 1):
            return None
        return (
            (goal.at_least is None or self.value >= goal.at_least)
            and (goal.at_most is None or self.value <= goal.at_most)
            and (
                goal.share_of_limit is None or (share is not None and share >= goal.share_of_limit)
            )
        )


class Report:
    """The figures of one run, in the order in which they were found."""

    def __init__(self, scale: str, chosen: Sequence[str]) -> None:
        self.scale = scale
        self.chosen = tuple(chosen)
        self.began_at = datetime.now(UTC)
        self.load_before = os.getloadavg()[0]
        self.figures: list[Figure] = []

    @property
    def began_busy(self) -> bool:
        """Whether other work had more than half of the machine when the run began."""
        return self.load_before > (os.cpu_count() or 1) / 2

    def add(self, figure: Figure) -> Figure:
        """Keep a figure."""
        self.figures.append(figure)
        return figure

    def write(self, folder: Path) -> Path:
        """Write `<time>.json` into the folder, which is made when missing."""
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / f"{self.began_at:%Y%m%dT%H%M%SZ}.json"
        target.write_bytes(
            msgspec.json.format(msgspec.json.encode(self.document()), indent=2) + b"\n"
        )
        return target

    def document(self) -> dict[str, Any]:
        """Everything there is to keep."""
        return {
            "began_at": self.began_at,
            "seconds": (datetime.now(UTC) - self.began_at).total_seconds(),
            "scale": self.scale,
            "sections": self.chosen,
            "machine": {**_machine(), "load_before": self.load_before},
            "figures": [
                {
                    **msgspec.to_builtins(figure),
                    "share": figure.share,
                    "core_share": figure.core_share,
                    "is_met": figure.is_met,
                    "doubts": figure.doubts,
                }
                for figure in self.figures
            ],
        }


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` (0 to 1] of all values do not exceed (nearest rank).

    Raises:
        Missed: there are no values.
    """
    if not values:
        raise Missed("nothing was measured, so there is no percentile")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def _machine() -> dict[str, Any]:
    return {
        "cores": os.cpu_count(),
        "processor": _processor(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in _PACKAGES},
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
