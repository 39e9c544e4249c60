"""Tickets by their clocks at an instant: breached, at risk, due; from the events of the clocks up to then.

A clock's event counts from when it happened, whenever it became known. `sla_cycles` only leaves out the tickets that
cannot be meant.
"""

from typing import Final, LiteralString

from psycopg.sql import SQL, Composed

# A breach that still stands, and was found by then, stood then. For the others the events must say.
_STANDS: Final[LiteralString] = "k.is_breached AND k.detected_at <= %(instant)s"
_MISSED: Final[LiteralString] = f"k.detected_at IS NOT NULL AND NOT ({_STANDS})"
_LASTING: Final[LiteralString] = "(k.state IN ('running', 'paused') OR k.ended_at > %(instant)s)"
_WARNED: Final[LiteralString] = _LASTING + " AND k.warned_at IS NOT NULL"

# The same as folding them: the newest event that moves a clock says its state, the newest that can says its deadline.
# Ticket by ticket: the planner takes those that lasted for most of all, and would read every ticket's events.
_CLOCKS: Final[LiteralString] = """
SELECT k.ticket_id, coalesce(judged = 'sla.breached.v1', false) AS is_breached,
       is_warned AND moved IS DISTINCT FROM 'sla.met.v1' AND moved IS DISTINCT FROM 'sla.cancelled.v1' AS is_warned,
       CASE WHEN coalesce(moved, 'sla.started.v1') IN ('sla.started.v1', 'sla.resumed.v1') THEN due_at END AS due_at
FROM (SELECT o.ticket_id FROM tickets AS o WHERE o.opened_at <= %(instant)s
      AND o.ticket_id IN (SELECT k.ticket_id FROM sla_cycles AS k WHERE {cycles} OFFSET 0)) AS k
CROSS JOIN LATERAL (
    SELECT bool_or(e.type = 'sla.warning.v1') AS is_warned,
           (array_agg(e.type ORDER BY e.version DESC) FILTER (WHERE e.type IN (
               'sla.started.v1', 'sla.paused.v1', 'sla.resumed.v1', 'sla.met.v1', 'sla.cancelled.v1')))[1] AS moved,
           (array_agg(e.type ORDER BY e.version DESC) FILTER (WHERE e.type = 'sla.breached.v1' OR
               e.type = 'sla.breach_retracted.v1' AND (e.raw ->> 'needs_review') IS DISTINCT FROM 'true'))[1]
               AS judged,
           (array_agg(e.raw ->> 'due_at' ORDER BY e.version DESC) FILTER (WHERE e.type IN (
               'sla.started.v1', 'sla.resumed.v1', 'sla.due_changed.v1', 'sla.unschedulable.v1', 'sla.breached.v1')))[1]
               ::timestamptz AS due_at
    FROM timeline AS e
    WHERE e.stream_id = k.ticket_id AND e.topic = 'sla.v1' AND e.type = ANY({types}) AND e.occurred_at <= %(instant)s
    GROUP BY e.raw ->> 'metric', e.raw ->> 'cycle'
) AS clocks
"""
_JUDGED: Final = ["sla.breached.v1", "sla.breach_retracted.v1"]
_MOVED: Final = [
    "sla.started.v1", "sla.paused.v1", "sla.resumed.v1", "sla.met.v1", "sla.cancelled.v1", "sla.due_changed.v1",
    "sla.unschedulable.v1",
]  # fmt: skip


def _clocks(cycles: LiteralString, types: list[str]) -> Composed:
    return SQL(_CLOCKS).format(types=types, cycles=SQL(cycles))


BREACHED: Final = SQL(
    "(t.ticket_id IN (SELECT k.ticket_id FROM sla_cycles AS k WHERE {})"
    " OR t.ticket_id IN (SELECT ticket_id FROM ({}) AS c WHERE is_breached))"
).format(SQL(_STANDS), _clocks(_MISSED, _JUDGED))
"""The condition that a ticket `t` had a breach which had not been taken back."""

AT_RISK: Final = SQL(
    "t.ticket_id IN (SELECT ticket_id FROM ({}) AS c WHERE is_warned AND NOT is_breached)"
).format(_clocks(_WARNED, [*_MOVED, *_JUDGED, "sla.warning.v1"]))
"""The condition that a ticket `t` had a clock that had been warned of, while there was still time."""

DUE: Final = SQL(
    "SELECT ticket_id, min(due_at) AS due_at FROM ({}) AS c WHERE due_at IS NOT NULL GROUP BY ticket_id"
).format(_clocks(_LASTING, [*_MOVED, *_JUDGED]))
"""The tickets with a running clock, and the first of their deadlines."""
