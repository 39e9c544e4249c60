"""Follows the search documents and writes down which words stand next to each other in them.

A projection that did so would spend a tenth of its time on it. Here a document is read once when it has come to rest
for a moment, however many messages came; searches test what was not yet read (`views.phrases`).
"""

import asyncio
import time
from typing import Final, LiteralString
from uuid import UUID

import structlog

from services.query.lag import LagWatch
from shared.database import TRANSIENT, Database, Transaction

log = structlog.get_logger(__name__)

STEP: Final = 200
"""Documents read in one transaction: some 50 ms, so that exports, which wait for the oldest transaction, and the switch
of a rebuild, which waits for the tables, do not notice."""

_LOOKED_AT: Final = 5_000
"""Documents whose hash is compared in one transaction: some 50 ms too."""

_LOOK_SECONDS: Final = 2.0
_RESTS: Final = 1
"""After each step so many times what it took: half a processor at most, some 1,800 documents a second."""

_BEHIND_MAX: Final = 500
"""Events that are waiting to be projected; with more of them, in any burst, the processor is theirs."""

_BEFORE_ALL: Final = UUID(int=0)

PAIRS: Final[LiteralString] = """
WITH wanted AS MATERIALIZED (SELECT d.* FROM search_documents AS d WHERE {which}),
words AS MATERIALIZED (
    SELECT d.ticket_id, d.is_public, w.lexeme, position
    FROM (SELECT ticket_id, false AS is_public, everything AS said FROM wanted
          UNION ALL SELECT ticket_id, true, public FROM wanted WHERE public IS NOT NULL) AS d,
         unnest(d.said) AS w, unnest(w.positions) AS position
), paired AS (
    SELECT a.ticket_id, array_agg(word_pair(a.lexeme, b.lexeme)) AS pairs
    FROM words AS a JOIN words AS b
        ON b.ticket_id = a.ticket_id AND b.is_public = a.is_public AND b.position = a.position + 1
    GROUP BY a.ticket_id
)
INSERT INTO search_pairs (ticket_id, document_hash, pairs)
SELECT ticket_id, document_hash(wanted.everything, wanted.public), coalesce(paired.pairs, '{{}}')
FROM wanted LEFT JOIN paired USING (ticket_id)
ON CONFLICT (ticket_id) DO UPDATE SET document_hash = EXCLUDED.document_hash, pairs = EXCLUDED.pairs
"""
"""Reads the documents `d` that `{which}` is true of. What customers may find is read beside the whole: without a note
between them, other words are neighbours."""

_IS_UNREAD: Final[LiteralString] = (
    "NOT EXISTS (SELECT FROM search_pairs AS p"
    " WHERE p.ticket_id = d.ticket_id AND p.document_hash = document_hash(d.everything, d.public))"
)
_FIRST: Final[LiteralString] = f"""
WITH looked_at AS MATERIALIZED (
    SELECT d.ticket_id, {_IS_UNREAD} AS is_unread FROM search_documents AS d WHERE d.ticket_id > %(after)s
    ORDER BY d.ticket_id LIMIT %(looked_at)s
)
SELECT ARRAY(SELECT ticket_id FROM looked_at WHERE is_unread ORDER BY ticket_id LIMIT %(limit)s) AS ids,
       (SELECT ticket_id FROM looked_at ORDER BY ticket_id OFFSET %(looked_at)s - 1) AS last
"""  # noqa: S608  # put together from constants
_THESE: Final = PAIRS.format(which="d.ticket_id = ANY(%(ids)s)")
_CHANGED: Final = PAIRS.format(
    which=f"{_IS_UNREAD} AND d.ticket_id IN"  # noqa: S608  # put together from constants
    " (SELECT ticket_id FROM tickets WHERE change_tx >= %(since)s AND change_tx < %(until)s)"
)
# Asked every two seconds, mostly of a service at rest: it writes nothing, and locks nothing.
_NOW: Final = """
SELECT horizon, documents, EXISTS (
    SELECT FROM search_pairs_progress AS p
    WHERE p.documents = now.documents AND p.first_after IS NULL AND p.change_tx <= horizon
      AND NOT EXISTS (SELECT FROM tickets WHERE change_tx >= p.change_tx AND change_tx < horizon)) AS is_all_read
FROM (SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS horizon,
             'search_documents'::regclass::oid AS documents) AS now
"""
# Below `until` nothing can be committed any more, and no transaction is read in part.
_UNTIL: Final = """
SELECT min(change_tx) AS first, (array_agg(change_tx ORDER BY change_tx))[%(limit)s + 1] AS until
FROM (SELECT change_tx FROM tickets WHERE change_tx >= %(since)s AND change_tx < %(horizon)s
      ORDER BY change_tx LIMIT %(limit)s + 1) AS changed
"""


class WordPairs:
    """The reader; of several processes one reads at a time.

    Args:
        store: the projections.
        lag: how far those are behind.
    """

    def __init__(self, store: Database, lag: LagWatch) -> None:
        self._store = store
        self._lag = lag

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            began, is_more = time.monotonic(), False
            if self._lag.freshness.behind <= _BEHIND_MAX:
                try:
                    is_more = await asyncio.to_thread(self._store.transact, read_some)
                except TRANSIENT as error:
                    log.info("word_pairs_wait", error=type(error).__name__)
            rest = _RESTS * (time.monotonic() - began)
            await asyncio.sleep(rest if is_more else max(rest, _LOOK_SECONDS))


def read_some(tx: Transaction) -> bool:
    """Read some documents that were not yet read as they are. False: there are no more."""
    cursor = tx.cursor
    now = cursor.execute(_NOW).fetchall()[0]
    if now["is_all_read"]:
        return False
    cursor.execute(
        "INSERT INTO search_pairs_progress (documents, change_tx, first_after)"
        " VALUES (%(documents)s, %(horizon)s, %(after)s) ON CONFLICT DO NOTHING",
        now | {"after": _BEFORE_ALL},
    )
    locked = cursor.execute(
        "SELECT documents, change_tx, first_after FROM search_pairs_progress FOR UPDATE SKIP LOCKED"
    ).fetchone()
    if locked is None:
        return False
    now = cursor.execute(_NOW).fetchall()[0]  # not before: another process may have come further
    since, after = locked["change_tx"], locked["first_after"]
    if locked["documents"] != now["documents"] or since > now["horizon"]:
        # Exchanged by a rebuild, or set back with the whole database. Rows of before stay until they are read anew.
        since, after = now["horizon"], _BEFORE_ALL
    cursor.execute("SET LOCAL work_mem = '32MB'")
    if after is not None:
        after = _read_first(tx, after)
        is_more = after is not None
    else:
        since, is_more = _read_changed(tx, since, now["horizon"])
    _note(tx, now["documents"], since, after)
    return is_more


def _read_first(tx: Transaction, after: UUID) -> UUID | None:
    """Those behind a ticket; the answer is up to which, None: to the last."""
    asked = {"after": after, "limit": STEP, "looked_at": _LOOKED_AT}
    found = tx.cursor.execute(_FIRST, asked).fetchall()[0]
    ids: list[UUID] = found["ids"]
    if ids:
        tx.cursor.execute(_THESE, {"ids": ids})
    last: UUID | None = found["last"]
    return ids[-1] if len(ids) == STEP else last


def _read_changed(tx: Transaction, since: int, horizon: int) -> tuple[int, bool]:
    """Those of tickets that changed; the answer is up to where, and whether there are more."""
    asked = {"since": since, "horizon": horizon, "limit": STEP}
    found = tx.cursor.execute(_UNTIL, asked).fetchall()[0]
    if found["first"] is None:  # another process was quicker
        return since, False
    until = horizon if found["until"] is None else max(found["until"], found["first"] + 1)
    tx.cursor.execute(_CHANGED, {"since": since, "until": until})
    return until, found["until"] is not None


def _note(tx: Transaction, documents: int, change_tx: int, first_after: UUID | None) -> None:
    tx.cursor.execute(
        "UPDATE search_pairs_progress SET documents = %(documents)s, change_tx = %(tx)s, first_after = %(after)s"
        " WHERE (documents, change_tx, first_after) IS DISTINCT FROM (%(documents)s, %(tx)s, %(after)s)",
        {"documents": documents, "tx": change_tx, "after": first_after},
    )
