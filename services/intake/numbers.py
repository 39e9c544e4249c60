"""The numbers people know tickets by: drawn from a sequence for a whole group of openings at once."""

from collections import deque
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
        # No lock: the event loop must never wait while the writer asks the database. Each attribute is
        # written by one side only, or by a single assignment.
        self._expected_count = 0  # the event loop's
        self._answered_count = 0  # the event loop's
        self._drawn: deque[int] = deque()  # the writer's
        self._drawn_in: Transaction | None = None

    def expect(self) -> None:
        """One more opening is on its way to the writer. Called on the event loop."""
        self._expected_count += 1

    def forget(self) -> None:
        """An expected opening has been answered, with or without a number. Called on the event loop."""
        self._answered_count += 1

    def committed(self) -> None:
        """A commit reached the disk after the last draw: what is left over may serve anybody."""
        self._drawn_in = None

    def take(self, tx: Transaction) -> int:
        """The next number. Called by the writer."""
        is_usable = self._drawn_in is None or self._drawn_in is tx
        if not (self._drawn and is_usable):
            self._draw(tx)
        return self._drawn.popleft()

    def _draw(self, tx: Transaction) -> None:
        waiting_count = self._expected_count - self._answered_count
        count = max(1, min(waiting_count, DRAWN_MAX))
        tx.cursor.execute(
            "SELECT nextval('ticket_numbers') AS number FROM generate_series(1, %s)", (count,)
        )
        self._drawn_in = tx
        self._drawn = deque(row["number"] for row in tx.cursor.fetchall())
