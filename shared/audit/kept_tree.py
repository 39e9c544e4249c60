"""The tree of one day as it is built, with its leaves kept in the database, for proofs of single streams."""

from datetime import date
from typing import Final, LiteralString
from uuid import UUID

from shared.audit import merkle
from shared.database import Transaction

# There are some already where somebody has removed the day, which verification finds.
_KEEP: Final[LiteralString] = """
INSERT INTO audit_day_heads (day, number, first, heads, root) VALUES (%s, %s, %s, %b, %b)
ON CONFLICT (day, number) DO UPDATE SET first = EXCLUDED.first, heads = EXCLUDED.heads, root = EXCLUDED.root
"""


class KeptTree:
    """Takes the heads of a day in the order of their streams; one chunk of them is in memory.

    Args:
        tx: where the leaves are kept.
        day: whose they are.
    """

    def __init__(self, tx: Transaction, day: date) -> None:
        self._tx, self._day = tx, day
        self._tree, self._chunk = merkle.Tree(), list[bytes]()

    @property
    def count(self) -> int:
        """How many heads were added."""
        return self._tree.count

    def add(self, head: bytes) -> None:
        """The next head."""
        self._tree.add(head)
        self._chunk.append(head)
        if len(self._chunk) == merkle.CHUNK:
            self._keep()

    def root(self) -> bytes:
        """The day's root. Nothing more comes."""
        if self._chunk:
            self._keep()
        return self._tree.root()

    def _keep(self) -> None:
        chunk, self._chunk = self._chunk, []
        number, first = (self.count - 1) // merkle.CHUNK, UUID(bytes=chunk[0][:16])
        self._tx.cursor.execute(
            _KEEP, (self._day, number, first, b"".join(chunk), merkle.root_of(chunk))
        )
