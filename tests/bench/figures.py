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
        details: everything else worth keeping (percentiles, processor time).
    """

    section: str
    name: str
    value: float
    unit: str
    limit: float | None = None
    limit_name: str | None = None
    goal: Goal | None = None
    details: dict[str, Any] = {}

    @property
    def share(self) -> float | None:
        """How much of the limit was reached."""
        return self.value / self.limit if self.limit else None

    @property
    def is_met(self) -> bool | None:
        """Whether every part of the goal holds; None without a goal."""
        goal = self.goal
        if goal is None:
            return None
        share = self.share
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
        self.figures: list[Figure] = []

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
            "machine": _machine(),
            "figures": [
                {**msgspec.to_builtins(figure), "share": figure.share, "is_met": figure.is_met}
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
