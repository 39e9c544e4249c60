"""The report: what became of the tickets of a period, in the figures of `metrics.py`."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString

from services.query.metrics import DEFINITIONS
from services.query.views.pools import Pool


@dataclass(frozen=True, slots=True)
class Period:
    """Tickets opened from `opened_from` on and before `opened_before`; None: no bound. `channel`: only these."""

    opened_from: datetime | None = None
    opened_before: datetime | None = None
    channel: str | None = None


_CHOSEN: Final[LiteralString] = """
    t.version > 0
    AND (%(opened_from)s::timestamptz IS NULL OR t.opened_at >= %(opened_from)s)
    AND (%(opened_before)s::timestamptz IS NULL OR t.opened_at < %(opened_before)s)
    AND (%(channel)s::text IS NULL OR t.via = %(channel)s)
"""

_TICKETS: Final[LiteralString] = (
    """
SELECT count(*) AS tickets,
       count(*) FILTER (WHERE t.is_open) AS open,
       count(*) FILTER (WHERE f.is_reopened) AS reopened,
       count(*) FILTER (WHERE f.group_handoff_count > 0) AS handed_over,
       avg(f.group_handoff_count)::double precision AS group_handoffs_mean,
       max(f.group_handoff_count) AS group_handoffs_max,
       count(f.opened_to_closed_seconds) AS closed,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY f.opened_to_closed_seconds) AS opened_to_closed_median_seconds,
       count(f.full_resolution_seconds) AS resolved,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY f.full_resolution_seconds) AS opened_to_resolved_median_seconds,
       count(f.first_reply_seconds) AS replied,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY f.first_reply_seconds) AS first_reply_median_seconds
FROM tickets AS t JOIN ticket_figures AS f USING (ticket_id)
WHERE"""
    + _CHOSEN
)

_PROMISES: Final[LiteralString] = (
    """
SELECT c.metric, c.priority, count(*) AS clocks, count(*) FILTER (WHERE c.is_decided) AS decided,
       count(*) FILTER (WHERE c.is_attained) AS attained, count(*) FILTER (WHERE c.is_breached) AS breached
FROM cycle_figures AS c JOIN tickets AS t USING (ticket_id)
WHERE"""
    + _CHOSEN
    + "GROUP BY c.metric, c.priority ORDER BY c.metric, c.priority"
)

# A ticket counts once, with its present priority: broken as soon as one clock of the metric was.
_AGREEMENT: Final[LiteralString] = (
    """
SELECT t.priority, count(*) AS compared,
       count(*) FILTER (WHERE (t.fields ->> %(field)s)::boolean <> c.is_breached) AS agreeing,
       count(*) FILTER (WHERE (t.fields ->> %(field)s)::boolean AND c.is_breached) AS only_ours_broken,
       count(*) FILTER (WHERE NOT (t.fields ->> %(field)s)::boolean AND NOT c.is_breached) AS only_theirs_broken
FROM tickets AS t
JOIN (
    SELECT ticket_id, bool_or(is_breached) AS is_breached FROM cycle_figures
    WHERE metric = %(metric)s AND is_decided GROUP BY ticket_id
) AS c USING (ticket_id)
WHERE lower(t.fields ->> %(field)s) IN ('true', 'false') AND"""  # noqa: S608  # our own words
    + _CHOSEN
    + "GROUP BY t.priority ORDER BY t.priority"
)


async def report(
    pool: Pool,
    period: Period,
    *,
    verdict_field: str | None = None,
    verdict_metric: str = "resolution",
) -> dict[str, Any]:
    """The figures of a period. Durations in seconds, shares between 0 and 1, None where nothing was counted.

    Args:
        pool: connections.
        period: which tickets.
        verdict_field: a custom field with the yes/no verdict of another system, to be compared with ours.
        verdict_metric: the clock that it is compared with.
    """
    values = {
        "opened_from": period.opened_from,
        "opened_before": period.opened_before,
        "channel": period.channel,
        "field": verdict_field,
        "metric": verdict_metric,
    }
    async with pool.connection() as connection, connection.transaction():
        await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        tickets = await (await connection.execute(_TICKETS, values)).fetchone() or {}
        clocks = await (await connection.execute(_PROMISES, values)).fetchall()
        verdicts: list[dict[str, Any]] = []
        if verdict_field is not None:
            verdicts = await (await connection.execute(_AGREEMENT, values)).fetchall()
    tickets["reopened_share"] = _share(tickets["reopened"], tickets["tickets"])
    tickets["handed_over_share"] = _share(tickets["handed_over"], tickets["tickets"])
    return {
        "tickets": tickets,
        "attainment": {
            "by_metric": _by_metric(clocks),
            "by_metric_and_priority": [_with_share(row) for row in clocks],
        },
        "agreement": [
            row | {"share": _share(row["agreeing"], row["compared"])} for row in verdicts
        ],
        "definitions": DEFINITIONS,
    }


def _by_metric(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    sums: dict[str, dict[str, Any]] = {}
    for row in rows:
        entry = sums.setdefault(row["metric"], {"metric": row["metric"]})
        for name in ("clocks", "decided", "attained", "breached"):
            entry[name] = entry.get(name, 0) + row[name]
    return [_with_share(entry) for entry in sums.values()]


def _with_share(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"attained_share": _share(row["attained"], row["decided"])}


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
