"""The book that the engine judges by, kept in memory and checked for age in each transaction."""

from typing import Any

from services.sla.engine import Policy, Rulebook
from services.sla.promises.documents import read_calendar, read_policy
from shared.calendar import Calendar
from shared.database import Transaction

_ASSIGNMENT_FIELDS = frozenset({"group", "assignee"})
_ASSIGNMENT_METRICS = frozenset({"group_ownership", "first_assign", "speed_of_answer"})


class Books:
    """Gives the rulebook in force inside a transaction; reads it anew when its revision has grown.

    The first version of a policy or calendar is in force since ever, so that imported history is
    judged by it (design §5); a later one from the moment it was recorded, unless its document says
    otherwise with `in_force_from`.
    """

    def __init__(self) -> None:
        self._book: tuple[int, Rulebook] | None = None

    def current(self, tx: Transaction) -> Rulebook:
        """The rulebook as of this transaction."""
        tx.cursor.execute("SELECT revision FROM rulebook")
        row = tx.cursor.fetchone()
        assert row is not None, "the migration inserts the only row"
        book = self._book
        if book is None or book[0] != row["revision"]:
            book = row["revision"], read_rulebook(tx)
            self._book = book
        return book[1]


def read_rulebook(tx: Transaction) -> Rulebook:
    """All versions there are."""
    tx.cursor.execute("SELECT * FROM policy_versions ORDER BY policy_id, version")
    policies = [_policy(row) for row in tx.cursor.fetchall()]
    tx.cursor.execute("SELECT * FROM calendar_versions ORDER BY calendar_id, version")
    calendars: dict[tuple[str, int], Calendar] = {}
    for row in tx.cursor.fetchall():
        key = row["calendar_id"], row["version"]
        calendars[key] = _calendar(row, calendars.get((key[0], key[1] - 1)))
    return Rulebook(policies, calendars.values())


def asks_for_assignments(rules: Rulebook) -> bool:
    """Whether any promise depends on who has the ticket; else routing's facts need not be judged."""
    return not _ASSIGNMENT_FIELDS.isdisjoint(rules.asked_fields) or any(
        metric.name in _ASSIGNMENT_METRICS for metric in rules.tracked
    )


def _policy(row: dict[str, Any]) -> Policy:
    return read_policy(
        row["policy_id"],
        row["version"],
        row["definition"],
        in_force_from=row["recorded_at"] if row["version"] > 1 else None,
    )


def _calendar(row: dict[str, Any], previous: Calendar | None) -> Calendar:
    return read_calendar(
        row["calendar_id"],
        row["version"],
        row["definition"],
        in_force_from=row["recorded_at"] if row["version"] > 1 else None,
        previous=previous,
    )
