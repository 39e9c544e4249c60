"""Which pairs of neighbouring words a search asks for: what finds a "phrase" among tickets that have all of its words.

`search_pairs` holds the pairs of every document as it was read last. So the candidates are those that have the pairs
there and all that changed since; whether a candidate has the phrase is read in its document.
"""

import re
from typing import Final, LiteralString

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from psycopg.sql import SQL, Composed, Literal

from services.query.views.values import Values

UNREAD_MAX: Final = 2_000
"""Tickets that changed since, all of them candidates: with more, the words alone narrow better. Some 10 ms to test."""

_TOKENS: Final = re.compile(r"'(?:[^']|'')*'|<(?:-|\d+)>|[!&|()]")

# Nothing of a document table that a rebuild has just put in the place of the one that was read.
_READ_UNTIL: Final[LiteralString] = """
SELECT change_tx FROM search_pairs_progress AS p
WHERE documents = 'search_documents'::regclass AND first_after IS NULL
  AND change_tx <= pg_snapshot_xmax(pg_current_snapshot())::text::bigint
  AND (SELECT count(*) FROM (SELECT FROM tickets AS t WHERE t.change_tx >= p.change_tx LIMIT %(most)s + 1) AS unread)
      <= %(most)s
"""


async def candidates(
    connection: AsyncConnection[DictRow], query: str, values: Values
) -> Composed | None:
    """A statement of ticket ids, all that a query with a phrase may find and few others.

    None: no text must have a pair of words for this query, or too much has changed since pairs were read.
    """
    needed = pairs_needed(query, values)
    if needed is None:
        return None
    found = await connection.execute(_READ_UNTIL, {"most": UNREAD_MAX})
    row = await found.fetchone()
    if row is None:
        return None
    # The place as it was a moment ago: whatever is read meanwhile is found twice. In the order of ids each ticket is
    # looked up next to the one before, in a third of the time.
    return SQL(
        "SELECT p.ticket_id FROM search_pairs AS p WHERE {}"
        " UNION SELECT t.ticket_id FROM tickets AS t WHERE t.change_tx >= {} ORDER BY ticket_id"
    ).format(needed, Literal(row["change_tx"]))


def pairs_needed(query: str, values: Values) -> Composed | None:
    """The condition on a row `p` of `search_pairs` that every text fulfils which this tsquery (as text) finds."""
    return _Reader(_TOKENS.findall(query), values).either()


class _Reader:
    """Reads a tsquery as PostgreSQL writes it; from the loosest binding to the tightest: | & <-> !."""

    def __init__(self, tokens: list[str], values: Values) -> None:
        self._tokens = tokens
        self._values = values
        self._at = 0

    def either(self) -> Composed | None:
        """One of these must hold: if one of them asks for no pair, no pair is needed."""
        found = [self._all()]
        while self._took("|"):
            found.append(self._all())
        needed = [each for each in found if each is not None]
        return _joined(" OR ", needed) if len(needed) == len(found) else None

    def _all(self) -> Composed | None:
        found = [self._phrase()]
        while self._took("&"):
            found.append(self._phrase())
        return _joined(" AND ", [each for each in found if each is not None])

    def _phrase(self) -> Composed | None:
        """Words with their distances. Only neighbours are pairs; what else stands in a phrase is passed by."""
        needed, word = self._one()
        found = [] if needed is None else [needed]
        pairs: list[Composed] = []
        while self._at < len(self._tokens) and self._tokens[self._at].startswith("<"):
            distance = self._tokens[self._at]
            self._at += 1
            needed, following = self._one()
            if needed is not None:
                found.append(needed)
            if word is not None and following is not None and distance in {"<->", "<1>"}:
                pair = SQL("word_pair({}, {})").format(
                    self._values.put(word), self._values.put(following)
                )
                pairs.append(pair)
            word = following
        if pairs:
            found.append(SQL("p.pairs @> ARRAY[{}]").format(SQL(", ").join(pairs)))
        return _joined(" AND ", found)

    def _one(self) -> tuple[Composed | None, str | None]:
        """What a part needs, and its word if it is one."""
        if self._took("!"):
            self._one()
            return None, None
        if self._took("("):
            needed = self.either()
            self._at += 1
            return needed, None
        word = self._tokens[self._at]
        self._at += 1
        return None, word[1:-1].replace("''", "'").replace("\\\\", "\\")

    def _took(self, token: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at] == token:
            self._at += 1
            return True
        return False


def _joined(by: LiteralString, parts: list[Composed]) -> Composed | None:
    if not parts:
        return None
    return SQL("({})").format(SQL(by).join(parts)) if len(parts) > 1 else parts[0]
