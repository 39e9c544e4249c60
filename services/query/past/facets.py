"""Tickets by what they said of themselves at an instant: tags, type, custom fields.

What they say now stands in `facets`. Where one of these changed after the instant, the ticket's own events say what it
said then; those are few, for only tickets that lived on have such events. Nothing is written for it.
"""

from datetime import datetime
from typing import Final, LiteralString

from psycopg.sql import SQL, Composed

from services.query.facets import FIELD, TAG, VALUE_CHARS_MAX
from services.query.views.values import Values

_NEVER_CHANGED: Final = frozenset({"language", "organization"})
"""What a ticket says of itself once, at its opening."""

TOUCHED: Final[LiteralString] = """
SELECT DISTINCT e.stream_id AS ticket_id FROM timeline AS e JOIN tickets AS o ON o.ticket_id = e.stream_id
WHERE e.type IN ('ticket.tags_changed.v1', 'ticket.fields_changed.v1', 'ticket.type_changed.v1')
  AND e.occurred_at > %(instant)s AND o.opened_at <= %(instant)s
"""
"""Tickets of the time whose tags, fields or type changed since; a statement names them `touched`."""

# The newest word about it that counted then: from its moment on, but never from before the word that it followed.
_SAID: Final[LiteralString] = """
SELECT k.ticket_id, left(v.value #>> '{{}}', {chars}) COLLATE "C" AS value,
       CASE jsonb_typeof(v.value) WHEN 'number' THEN (v.value #>> '{{}}')::float8 END AS number
FROM touched AS k
CROSS JOIN LATERAL (
    SELECT w.said FROM (
        SELECT e.version, e.changes -> {key} -> 1 AS said, max(e.occurred_at) OVER (ORDER BY e.version) AS counts_from
        FROM timeline AS e
        WHERE e.stream_id = k.ticket_id AND e.topic = 'tickets.v1' AND e.changes ? {key}
    ) AS w
    WHERE w.counts_from <= %(instant)s ORDER BY w.version DESC LIMIT 1
) AS last
CROSS JOIN LATERAL jsonb_array_elements(
    CASE jsonb_typeof(last.said) WHEN 'array' THEN last.said ELSE jsonb_build_array(last.said) END
) AS v
WHERE jsonb_typeof(v.value) IN ('string', 'number', 'boolean')
"""


def facets_at(name: str, values: Values) -> Composed:
    """Rows of `ticket_id`, `value` and `number`, as `facets` had them at the instant under this name."""
    return SQL(" UNION ALL ").join(_sources(name, values))


def having(name: str, test: Composed, values: Values) -> Composed:
    """The condition that a ticket `t` had a row `f` under this name that passes the test."""
    # One set for each source: of a union the planner expects so few that it would look up one after the other.
    rows = SQL("t.ticket_id IN (SELECT f.ticket_id FROM ({}) AS f WHERE {})")
    return SQL("({})").format(
        SQL(" OR ").join(rows.format(source, test) for source in _sources(name, values))
    )


def _sources(name: str, values: Values) -> list[Composed]:
    named = values.put(name)
    now = SQL("SELECT f.ticket_id, f.name, f.value, f.number FROM facets AS f WHERE f.name = {}")
    if name in _NEVER_CHANGED:
        return [now.format(named)]
    changes = {TAG: "tags"}.get(name, name.replace(FIELD, "fields.", 1))
    said = SQL(_SAID).format(key=values.put(changes), chars=values.put(VALUE_CHARS_MAX))
    return [
        SQL("{} AND f.ticket_id NOT IN (SELECT ticket_id FROM touched)").format(now.format(named)),
        SQL("SELECT ticket_id, {} AS name, value, number FROM ({}) AS said").format(named, said),
    ]


# A field that no ticket has any more was a field then; what it was stands in the changes since.
_TOLD: Final[LiteralString] = """
(SELECT f.name, f.number FROM facets AS f
 UNION ALL
 SELECT {prefix} || substr(c.key, 8), CASE jsonb_typeof(c.value -> 0) WHEN 'number' THEN (c.value ->> 0)::float8 END
 FROM timeline AS e CROSS JOIN jsonb_each(e.changes) AS c
 WHERE e.type = 'ticket.fields_changed.v1' AND e.occurred_at > {instant}
   AND c.key ^@ 'fields.' AND c.value ->> 0 IS NOT NULL)
"""


def told_of_fields(instant: datetime) -> Composed:
    """Rows of `name` and `number` by which fields that nobody defined are known, for `kinds_of`."""
    return SQL(_TOLD).format(prefix=FIELD, instant=instant)
