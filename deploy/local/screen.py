"""What `ticketing run` shows: one row per part while it starts, then the address and what to try."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn


class Screen:
    """Progress rows; a context manager. Without a terminal each finished part is one line.

    Args:
        console: where to write.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            SpinnerColumn(finished_text="[green]✓"),
            TextColumn("{task.description:<20}"),
            TextColumn("[dim]{task.fields[what]}"),
            TimeElapsedColumn(),
            console=console,
        )
        self._rows: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        """Begin to show."""
        if self._console.is_terminal:
            self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the rows as they are."""
        self._progress.stop()

    def step(self, name: str, what: str) -> None:
        """`name` is now doing `what`."""
        if name not in self._rows:
            self._rows[name] = self._progress.add_task(name, total=1, what=what)
        self._progress.update(self._rows[name], what=what)

    def done(self, name: str) -> None:
        """`name` is ready."""
        self._progress.update(self._rows[name], what="ready", completed=1)
        if not self._console.is_terminal:
            self._console.print(f"{name}: ready")
