"""The numbers people know tickets by: drawn from a sequence for a whole group of openings at once."""

from collections import deque
from threading import Lock
from typing import Final

from shared.database import Transaction

DRAWN_MAX: Final = 500
"""As many as one transaction has members: more would only make the gap after a crash wider."""


class Numbers:
    """Hands out numbers, each higher than the one before in this process.

    The openings that wait are counted, so that one query serves them all and little is left over. What
    is left over serves the next transaction, but only after a commit has made the sequence's progress
    durable: a number drawn in a transaction that was rolled back might be drawn again after a crash
    of the server.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._waiting_count = 0
        self._drawn: deque[int] = deque()
        self._drawn_in: Transaction | None = None

    def expect(self) -> None:
        """One more opening is on its way to the writer."""
        with self._lock:
            self._waiting_count += 1

    def forget(self) -> None:
        """An expected opening has been answered, with or without a number."""
        with self._lock:
            self._waiting_count -= 1

    def committed(self) -> None:
        """A commit reached the disk after the last draw: what is left over may serve anybody."""
        with self._lock:
            self._drawn_in = None

    def take(self, tx: Transaction) -> int:
        """The next number."""
        with self._lock:
            is_usable = self._drawn_in is None or self._drawn_in is tx
            if not (self._drawn and is_usable):
                self._draw(tx)
            return self._drawn.popleft()

    def _draw(self, tx: Transaction) -> None:
        count = max(1, min(self._waiting_count, DRAWN_MAX))
        tx.cursor.execute(
            "SELECT nextval('ticket_numbers') AS number FROM generate_series(1, %s)", (count,)
        )
        self._drawn = deque(row["number"] for row in tx.cursor.fetchall())
        self._drawn_in = tx
