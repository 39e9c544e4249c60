"""From accepted to assigned to visible, under a steady open-loop load.

Nothing is polled and no service is asked: PostgreSQL keeps the commit time of every transaction, so the moments are
those at which the event was stored by intake, stored by routing, and first readable in query's own tables.
"""

from typing import Final

import psycopg
from psycopg.rows import TupleRow

from deploy.local import ports
from tests.bench.figures import Figure, Goal, Missed, Report, percentile
from tests.bench.load import Load, pace
from tests.bench.openings import openings
from tests.bench.organisation import organise
from tests.bench.product import Product, run
from tests.bench.scale import Scale

SECTION: Final = "path"
_SERVICES: Final = ("intake", "routing", "sla", "query")
_UNDER_A_SECOND: Final = Goal(at_most=1.0)

_WAYS: Final = """
WITH accepted AS (
    SELECT originator_id AS ticket_id, pg_xact_commit_timestamp(xmin) AS at
    FROM intake.intake_events
    WHERE notification_id > %(mark)s AND topic = 'ticket.opened.v1'
)
SELECT extract(epoch FROM pg_xact_commit_timestamp(r.xmin) - accepted.at)::float8,
       extract(epoch FROM pg_xact_commit_timestamp(seen.xmin) - accepted.at)::float8,
       extract(epoch FROM pg_xact_commit_timestamp(who.xmin) - accepted.at)::float8,
       extract(epoch FROM pg_xact_commit_timestamp(clock.xmin) - accepted.at)::float8
FROM accepted
LEFT JOIN routing.routing_events AS r
  ON r.originator_id = accepted.ticket_id AND r.topic = 'assignment.assigned.v1'
LEFT JOIN query.timeline AS seen
  ON seen.stream_id = accepted.ticket_id AND seen.topic = 'tickets.v1' AND seen.version = 1
LEFT JOIN query.timeline AS who
  ON who.stream_id = accepted.ticket_id AND who.topic = 'assignments.v1'
 AND who.version = r.originator_version
LEFT JOIN query.timeline AS clock
  ON clock.stream_id = accepted.ticket_id AND clock.topic = 'sla.v1' AND clock.version = 1
"""
_NAMES: Final = (
    "accepted → assigned (stored by routing)",
    "accepted → visible in query",
    "accepted → assignment visible in query",
    "accepted → promise visible in query",
)


def measure(product: Product, scale: Scale, report: Report) -> None:
    """Open tickets at a fixed rate and time their way."""
    product.start_services(*_SERVICES)
    organise(product, scale)
    run(product.settle)
    with product.connect() as connection:
        mark = _last_event(connection)
        port = product.stack.folder.port("intake")
        count = int(scale.path_rate * scale.path_seconds)
        before = product.core_seconds()
        load: Load = run(
            lambda: pace(
                (ports.LOOPBACK, port),
                openings(port, product.token()),
                rate=scale.path_rate,
                count=count,
            )
        )
        run(product.settle)
        after = product.core_seconds()
        ways = connection.execute(_WAYS, {"mark": mark}).fetchall()
    if len(ways) != count or any(moment is None for way in ways for moment in way):
        missing = [sum(way[place] is None for way in ways) for place in range(len(_NAMES))]
        raise Missed(
            f"{count} tickets were accepted, {len(ways)} stored; not come through: {missing}"
        )
    accepted = f"accepted, from when it was due, at {scale.path_rate}/s"
    details = _add(report, accepted, load.latencies, None).details
    details["load_core_share"] = load.own_core_share
    for name, seconds in after.items():
        details[f"{name}_core_ms_each"] = 1_000 * (seconds - before[name]) / count
    for place, name in enumerate(_NAMES):
        _add(report, name, [way[place] for way in ways], _UNDER_A_SECOND)


def _add(report: Report, name: str, seconds: list[float], goal: Goal | None) -> Figure:
    return report.add(
        Figure(
            section=SECTION,
            name=f"{name}, p99",
            value=percentile(seconds, 0.99),
            unit="s",
            goal=goal,
            details={
                "p50": percentile(seconds, 0.5),
                "most": max(seconds),
                "tickets": len(seconds),
            },
        )
    )


def _last_event(connection: psycopg.Connection[TupleRow]) -> int:
    row = connection.execute(
        "SELECT coalesce(max(notification_id), 0) FROM intake.intake_events"
    ).fetchone()
    assert row is not None
    return int(row[0])
