"""Deadlines among a million open timers: how soon each breach is stored, and how soon a restarted service is ready."""

import os
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from deploy.local import ports
from services.sla import engine
from services.sla.promises.documents import read_policy
from shared.identifiers import new_id
from tests.bench.figures import Figure, Goal, Missed, Report, percentile
from tests.bench.load import pace
from tests.bench.openings import openings
from tests.bench.organisation import POLICY, organise, policy
from tests.bench.product import Product, comes_true, run
from tests.bench.scale import Scale

SECTION: Final = "timers"
_SERVICES: Final = ("intake", "routing", "sla", "query")
_SLOTS: Final = 5_000
"""Different deadlines of the timers that stand by; each is judged once by the engine and stored for many tickets."""

_EARLIEST: Final = timedelta(hours=1)
_OPEN_FOR_MAX: Final = timedelta(hours=2)
_WAIT_SECONDS_MAX: Final = 120.0
_COLUMNS: Final = (
    "ticket_id",
    "state",
    "stream_version",
    "next_due",
    "is_open",
    "number",
    "group_id",
    "agent_id",
    "correlation_id",
)
_TYPES: Final = ("uuid", "bytea", "int4", "timestamptz", "bool", "int8", "text", "text", "text")

_BREACHES: Final = """
SELECT extract(epoch FROM pg_xact_commit_timestamp(xmin)
       - (convert_from(state, 'UTF8')::json ->> 'breached_at')::timestamptz)::float8
FROM sla.sla_events WHERE notification_id > %s AND topic = 'sla.breached.v1'
"""

_HEARD: Final = """
SELECT extract(epoch FROM pg_xact_commit_timestamp(xmin)
       - (convert_from(state, 'UTF8')::json ->> 'occurred_at')::timestamptz)::float8
FROM sla.sla_events WHERE notification_id > %s AND topic = 'sla.policy_applied.v1'
"""
"""How long the openings themselves took to come here; what is heard of after its deadline is late anyway."""


def measure(product: Product, scale: Scale, report: Report) -> None:
    """Fill the table of timers, let deadlines pass evenly among arriving events, then all at once; then restart."""
    product.start_services(*_SERVICES)
    organise(product, scale)
    run(product.settle)
    with product.connect() as connection:
        _stand_by(connection, scale)
        _spread(product, connection, scale, report)
        _sudden(product, connection, scale, report)
    _restart(product, scale, report)
    product.memory.look()
    report.add(
        Figure(
            section=SECTION,
            name=f"memory of sla with {scale.timers:,} open timers",
            value=product.memory.most()["sla"],
            unit="MB",
            goal=Goal(at_most=300),
        )
    )


def _spread(
    product: Product, connection: psycopg.Connection[TupleRow], scale: Scale, report: Report
) -> None:
    port, mark = product.stack.folder.port("intake"), _last_event(connection)
    requests = openings(port, product.token(), priority="urgent")
    address = (ports.LOOPBACK, port)
    rate = scale.spread_dues / scale.spread_seconds
    run(lambda: pace(address, requests, rate=rate, count=scale.spread_dues))
    # Others come in as long as deadlines pass; each is several events to this service.
    others = openings(port, product.token())
    count = int(scale.path_rate * (scale.target_seconds + 1))
    heard, begun = _events_heard(connection), time.monotonic()
    run(lambda: pace(address, others, rate=scale.path_rate, count=count))
    arrived = (_events_heard(connection) - heard) / (time.monotonic() - begun)
    lateness = _lateness(connection, mark, scale.spread_dues, scale)
    opened = [row[0] for row in connection.execute(_HEARD, (mark,)).fetchall()]
    report.add(
        Figure(
            section=SECTION,
            name=f"deadline → stored breach, {scale.spread_dues:,} spread evenly, p99",
            value=percentile(lateness, 0.99),
            unit="s",
            goal=Goal(at_most=2.0),
            details={
                **_details(lateness),
                "events_per_second_arriving": arrived,
                "opening_to_sla_p99": percentile(opened, 0.99),
            },
        )
    )


def _sudden(
    product: Product, connection: psycopg.Connection[TupleRow], scale: Scale, report: Report
) -> None:
    port, mark = product.stack.folder.port("intake"), _last_event(connection)
    came = datetime.now(UTC)
    requests = openings(port, product.token(), priority="urgent", occurred_at=came)
    run(
        lambda: pace(
            (ports.LOOPBACK, port),
            islice(requests, scale.sudden_dues),
            rate=scale.sudden_dues / (scale.target_seconds / 2),
            count=scale.sudden_dues,
        )
    )
    lateness = _lateness(connection, mark, scale.sudden_dues, scale)
    report.add(
        Figure(
            section=SECTION,
            name=f"deadline → stored breach, {scale.sudden_dues:,} at the same moment, the last",
            value=max(lateness),
            unit="s",
            goal=Goal(at_most=5.0),
            details=_details(lateness),
        )
    )


def _restart(product: Product, scale: Scale, report: Report) -> None:
    """Killed, because a service that says goodbye may have it easier."""
    os.kill(product.pid("sla"), signal.SIGKILL)
    product.stop("sla")
    begun = time.monotonic()
    product.start_services("sla")
    report.add(
        Figure(
            section=SECTION,
            name=f"killed and started again with {scale.timers:,} open timers, until ready",
            value=time.monotonic() - begun,
            unit="s",
            goal=Goal(at_most=30.0),
        )
    )


def _lateness(
    connection: psycopg.Connection[TupleRow], mark: int, count: int, scale: Scale
) -> list[float]:
    """Seconds from deadline to commit of each breach after the mark, once all are there."""

    def breaches() -> list[TupleRow] | None:
        found = connection.execute(_BREACHES, (mark,)).fetchall()
        return found if len(found) >= count else None

    found = run(
        lambda: comes_true(
            breaches, scale.target_seconds + _WAIT_SECONDS_MAX, f"{count} breaches were stored"
        )
    )
    if len(found) != count:
        raise Missed(f"{count} deadlines passed and {len(found)} breaches were stored")
    lateness = [row[0] for row in found]
    if min(lateness) < 0:
        raise Missed(f"a breach was stored {-min(lateness)} s before its deadline")
    return lateness


def _details(lateness: list[float]) -> dict[str, float]:
    return {
        "p50": percentile(lateness, 0.5),
        "p99": percentile(lateness, 0.99),
        "most": max(lateness),
    }


def _events_heard(connection: psycopg.Connection[TupleRow]) -> int:
    """How many events there are for sla to read."""
    row = connection.execute(
        "SELECT (SELECT count(*) FROM intake.intake_events)"
        " + (SELECT count(*) FROM routing.routing_events)"
    ).fetchone()
    assert row is not None
    return int(row[0])


def _stand_by(connection: psycopg.Connection[TupleRow], scale: Scale) -> None:
    """Store the timers as the service itself would, each with the state that its engine made."""
    columns = sql.SQL(", ").join(map(sql.Identifier, _COLUMNS))
    statement = sql.SQL("COPY sla.ticket_states ({}) FROM STDIN (FORMAT binary)").format(columns)
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(_TYPES)
        for row in _rows(_slots(scale), scale.timers):
            copy.write_row(row)


def _rows(slots: list[tuple[bytes, datetime]], count: int) -> Iterator[tuple[Any, ...]]:
    for number in range(count):
        state, due = slots[number % len(slots)]
        correlation_id = f"{number:032x}"
        yield (new_id(), state, 3, due, True, number, "service-desk", "agent-1", correlation_id)


def _slots(scale: Scale) -> list[tuple[bytes, datetime]]:
    """States of tickets opened during the last hours, none of them due while we measure."""
    rules = engine.Rulebook([read_policy(POLICY, 1, policy(scale))], [])
    now = datetime.now(UTC)
    slots = []
    for number in range(_SLOTS):
        opened = now - _OPEN_FOR_MAX * (number / _SLOTS)
        fact = engine.Created(at=opened, attributes={"via": "api", "requester": "customer-1"})
        state, _ = engine.fold(None, fact, rules)
        due = engine.next_due(state)
        if due is None or due < now + _EARLIEST:
            raise Missed(f"a timer that stands by is due at {due}")
        slots.append((engine.encode(state), due))
    return slots


def _last_event(connection: psycopg.Connection[TupleRow]) -> int:
    row = connection.execute(
        "SELECT coalesce(max(notification_id), 0) FROM sla.sla_events"
    ).fetchone()
    assert row is not None
    return int(row[0])
