"""The leaves of days that were signed before leaves were kept: made once from the log, and kept if the root agrees."""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from datetime import date
from typing import Final

import structlog
from psycopg.rows import tuple_row
from psycopg.sql import SQL, Identifier

from shared.audit import chain
from shared.audit.kept_tree import KeptTree
from shared.database import Transaction

log = structlog.get_logger(__name__)

_PAGE: Final = 20_000
_DAYS: Final = "SELECT day, last, heads_root FROM audit_days ORDER BY number"
_KEPT: Final = "SELECT DISTINCT day FROM audit_day_heads"


_End = tuple[bytes, int, date, bytes]


class Interrupted(Exception):
    """The service stops; the next start begins anew."""


def keep_old_days(tx: Transaction, table: str, goes_on: Callable[[], bool]) -> int:
    """Keep the leaves of all signed days that have none. Returns of how many days; one pass over the log, once.

    Memory grows with the number of these days, 60 kB each, and not with the log.

    Args:
        tx: its transaction.
        table: the log.
        goes_on: asked every 20,000 rows.

    Raises:
        Interrupted: it does not.
    """
    days = tx.cursor.execute(_DAYS).fetchall()
    kept = {row["day"] for row in tx.cursor.execute(_KEPT).fetchall()}
    missing = {row["day"]: KeptTree(tx, row["day"]) for row in days if row["day"] not in kept}
    if not missing:
        return 0
    lasts, names = [row["last"] for row in days], [row["day"] for row in days]
    for stream, version, day, link in _ends(tx, table, lasts, names, goes_on):
        if day in missing:
            missing[day].add(chain.head(stream, version, link))
    for row in days:
        if row["day"] in missing and missing[row["day"]].root() != bytes(row["heads_root"]):
            # The log is not as it was signed. That is verification's to tell; a proof of it there is none.
            log.error("audit_old_day_differs", day=row["day"].isoformat())
            tx.cursor.execute("DELETE FROM audit_day_heads WHERE day = %s", (row["day"],))
            del missing[row["day"]]
    return len(missing)


def _ends(
    tx: Transaction,
    table: str,
    lasts: list[int],
    names: list[date],
    goes_on: Callable[[], bool],
) -> Iterator[_End]:
    """Stream, version, day and link at the end of each day on which the stream grew; streams in their order."""
    statement = SQL(
        "SELECT uuid_send(originator_id), originator_version, notification_id, topic, sha256(state)"
        " FROM {} WHERE notification_id <= %s ORDER BY originator_id, originator_version"
    ).format(Identifier(table))
    before: _End | None = None
    with tx.cursor.connection.cursor(
        "audit_old_days", row_factory=tuple_row, binary=True
    ) as cursor:
        cursor.itersize = _PAGE
        for count, row in enumerate(cursor.execute(statement, (lasts[-1],))):
            if count % _PAGE == 0 and not goes_on():
                raise Interrupted
            stream, version, position, topic, digest = row
            day = names[bisect_left(lasts, position)]
            link = chain.NOTHING
            if before is not None:
                if before[0] != stream or before[2] != day:
                    yield before
                if before[0] == stream:
                    link = before[3]
            leaf = chain.leaf(position, stream, version, topic, digest)
            before = stream, version, day, chain.link(link, leaf)
    if before is not None:
        yield before
