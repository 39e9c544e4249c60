"""Which ticket was opened under an id of another system."""

from collections import OrderedDict
from collections.abc import Collection
from threading import Lock
from typing import Final
from uuid import UUID

from shared.database import Transaction

REMEMBERED_MAX: Final = 50_000
"""About 10 MB; an import speaks of a ticket some six times within a short while."""


class ExternalIds:
    """The table `external_ids`, with a memory of those met lately.

    The memory only hints: whoever uses it looks whether the ticket exists. A ticket's id belongs to one opening,
    so a ticket that exists was opened under the id it is remembered by.
    """

    def __init__(self) -> None:
        self._remembered: OrderedDict[str, UUID] = OrderedDict()
        self._lock = Lock()

    def remembered(self, external_id: str) -> UUID | None:
        """The ticket, if this process has met it; it may not exist, when its transaction was undone."""
        with self._lock:
            return self._remembered.get(external_id)

    def expect(self, external_id: str, ticket_id: UUID) -> None:
        """A ticket is about to be opened under this id, unless one is known already."""
        with self._lock:
            self._remembered.setdefault(external_id, ticket_id)
            self._forget_oldest()

    def remember(self, external_id: str, ticket_id: UUID) -> None:
        """Keep in mind what the database says, or will say when this transaction commits."""
        with self._lock:
            self._remembered[external_id] = ticket_id
            self._forget_oldest()

    def claim(self, tx: Transaction, external_id: str, ticket_id: UUID) -> UUID:
        """Take the id for this ticket. Returns the ticket that has it: another one if it came first."""
        tx.cursor.execute(
            "INSERT INTO external_ids (external_id, ticket_id) VALUES (%s, %s)"
            " ON CONFLICT (external_id) DO NOTHING",
            (external_id, ticket_id),
        )
        if tx.cursor.rowcount == 1:
            return ticket_id
        owner = self.find(tx, (external_id,)).get(external_id)
        assert owner is not None, "what conflicted is committed, and never deleted"
        return owner

    def find(self, tx: Transaction, external_ids: Collection[str]) -> dict[str, UUID]:
        """The tickets of these ids, as the database knows them."""
        tx.cursor.execute(
            "SELECT external_id, ticket_id FROM external_ids WHERE external_id = ANY(%s)",
            (list(external_ids),),
        )
        return {row["external_id"]: row["ticket_id"] for row in tx.cursor.fetchall()}

    def _forget_oldest(self) -> None:
        if len(self._remembered) > REMEMBERED_MAX:
            self._remembered.popitem(last=False)
