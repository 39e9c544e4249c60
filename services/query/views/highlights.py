"""Where a list's tickets have the words that were searched for: in their subjects, and in a message that has them."""

from typing import Any, Final, LiteralString
from uuid import UUID

from services.query.languages import configuration
from services.query.views.pools import Pool
from services.query.views.scope import Scope
from services.query.views.text_query import query_of

Pieces = list[dict[str, Any]]
"""A text in pieces: `text`, and whether it is a `hit`. Plain text, whatever it looks like."""

# Private-use characters: no text that people write has them, and they are removed if one does.
_BEGIN: Final = "\ue000"
_END: Final = "\ue001"

_OPTIONS: Final = f"StartSel={_BEGIN}, StopSel={_END}"

# The newest messages are looked through, and of each no more than people would skim.
_HIGHLIGHTS: Final[LiteralString] = """
SELECT t.ticket_id, said.text,
       ts_headline(w.words::regconfig, t.subject, q.query, %(options)s || ', HighlightAll=true') AS subject
FROM unnest(%(ids)s::uuid[], %(configurations)s::text[]) AS w (ticket_id, words)
JOIN tickets AS t USING (ticket_id)
CROSS JOIN (SELECT %(query)s::tsquery AS query) AS q
LEFT JOIN LATERAL (
    SELECT ts_headline(w.words::regconfig, m.body, q.query, %(options)s || ', MaxWords=24, MinWords=12') AS text
    FROM (
        SELECT left(body, 4000) AS body, version FROM messages
        WHERE ticket_id = t.ticket_id AND (%(sees_notes)s OR kind <> 'note') ORDER BY version DESC LIMIT 6
    ) AS m
    WHERE to_tsvector(w.words::regconfig, m.body) @@ q.query
    ORDER BY m.version DESC LIMIT 1
) AS said ON true
"""


async def highlights(
    pool: Pool, tickets: list[dict[str, Any]], words: str, scope: Scope
) -> dict[UUID, dict[str, Pieces | None]]:
    """Ticket → `subject` in pieces, and `text`: some words around the hits of a message, None when none has any.

    Args:
        pool: of the projections.
        tickets: rows of a list.
        words: what was searched for.
        scope: customers are shown no word of a note.
    """
    configurations = [configuration(row["language"], row["subject"] or "") for row in tickets]
    async with pool.connection() as connection:
        query = (await query_of(connection, words)).wanted
        found = await connection.execute(
            _HIGHLIGHTS,
            {
                "ids": [row["ticket_id"] for row in tickets],
                "configurations": configurations,
                "query": query,
                "options": _OPTIONS,
                "sees_notes": scope.sees_internal,
            },
        )
        rows = await found.fetchall()
    return {
        row["ticket_id"]: {
            "subject": pieces(row["subject"] or ""),
            "text": pieces(row["text"]) if row["text"] and _BEGIN in row["text"] else None,
        }
        for row in rows
    }


def pieces(marked: str) -> Pieces:
    """A text with marks, in pieces."""
    found: Pieces = []
    for part in marked.split(_BEGIN):
        before, is_marked, after = part.partition(_END)
        if is_marked:
            found.append({"text": before, "hit": True})
        rest = after if is_marked else before
        if rest:
            found.append({"text": rest.replace(_END, ""), "hit": False})
    return found
