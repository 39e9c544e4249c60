"""The bars of a running import: one for each service that is told something, then what is still under way."""

from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from deploy.imports.arrival import Backlog
from deploy.imports.commands import History
from deploy.imports.sender import INTAKE, ROUTING

_REFRESH_PER_SECOND: Final = 2
"""Drawing costs time on the machine that also does the work."""

_RATE_SECONDS: Final = 30.0


class _Rate(ProgressColumn):
    """Lines a second, lately."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f}/s", style="progress.data.speed")


class Bars:
    """Draws; use it as a context manager.

    Args:
        console: where.
        histories: what will be sent.
    """

    def __init__(self, console: Console, histories: Sequence[History]) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            _Rate(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            refresh_per_second=_REFRESH_PER_SECOND,
            speed_estimate_period=_RATE_SECONDS,
        )
        self._tasks = {
            INTAKE: self._progress.add_task(
                "what happened → intake", total=sum(len(one.intake) for one in histories)
            ),
            ROUTING: self._progress.add_task(
                "who had it → routing", total=sum(len(one.routing) for one in histories)
            ),
        }
        self._waiting = self._progress.add_task("→ projections", total=None, start=False)
        self._backlog_max = 0

    def __enter__(self) -> Self:
        """Begin to draw."""
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave the last state on the screen."""
        self._progress.stop()

    def advance(self, where: str, lines: int) -> None:
        """So many more lines are done."""
        self._progress.advance(self._tasks[where], lines)

    def note(self, text: str) -> None:
        """A line above the bars."""
        self._progress.console.print(text)

    def waiting(self, backlog: Backlog) -> None:
        """What is still under way, against the most there was."""
        if self._backlog_max == 0:
            self._progress.start_task(self._waiting)
        self._backlog_max = max(self._backlog_max, backlog.total, 1)
        self._progress.update(
            self._waiting,
            total=self._backlog_max,
            completed=self._backlog_max - backlog.total,
            description="→ projections"
            if backlog.problem is None
            else f"→ projections: {backlog.problem}",
        )
