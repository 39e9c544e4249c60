"""A million tickets from schema `bi` into Parquet files, beside COPY of the same rows out of PostgreSQL."""

import tempfile
import time
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr

from deploy.bootstrap import BI_READER
from deploy.lake import Lake, export
from services.query.settings import Settings
from shared.database import Database
from tests.bench.figures import Figure, Goal, Missed, Report
from tests.bench.product import Product, run
from tests.bench.scale import Scale

SECTION: Final = "export"
_DATABASE: Final = "bench_export"
_SECONDS_MAX: Final = 10.0
"""For the million of a full run."""

_BATCH_ROWS: Final = 2_000
"""As many as the projections write in one transaction."""

_TICKETS: Final = """
INSERT INTO query.tickets (ticket_id, version, number, subject, ticket_type, via, requester_id, requester_name,
    organization, priority, priority_rank, initial_priority, category, category_since, is_open, opened_at,
    updated_at, first_reply_at, first_resolved_at, resolved_at, closed_at, group_id, assignee_id, assignment_count,
    reopen_count, policy_id, policy_version)
SELECT gen_random_uuid(), 5, n, 'Ticket ' || n, 'type ' || n %% 7, (ARRAY['email', 'form', 'chat', 'api'])[1 + n %% 4],
       'customer ' || n %% 50000, 'Customer', 'organisation ' || n %% 900, 'normal', 1, 'normal',
       CASE WHEN n %% 5 = 0 THEN 'open' ELSE 'closed' END, now(), n %% 5 = 0, o, o + interval '5 h', o + interval '1 h',
       o + interval '4 h', CASE WHEN n %% 5 > 0 THEN o + interval '4 h' END,
       CASE WHEN n %% 5 > 0 THEN o + interval '5 h' END,
       'group ' || n %% 20, 'agent ' || n %% 300, 1, n %% 9, 'gold', 3
FROM generate_series(%s::bigint, %s::bigint - 1) AS n
CROSS JOIN LATERAL (SELECT timestamptz '2025-06-01 00:00Z' + n * interval '30 s' AS o) AS at
"""


def measure(product: Product, scale: Scale, report: Report) -> None:
    """Fill a database and export it whole."""
    with product.fresh_database(_DATABASE), tempfile.TemporaryDirectory() as folder:
        _fill(product, scale.exported_rows)
        copied = _copy(product)
        url, lake = product.database_url(BI_READER, _DATABASE), Lake(str(Path(folder)))
        began = time.perf_counter()
        written = export(url, lake, entities=["fct_ticket"])
        seconds = time.perf_counter() - began
        if written.manifest.entities["fct_ticket"].rows != scale.exported_rows:
            raise Missed("the lake has not as many rows as the database")
        size = sum(file.stat().st_size for file in Path(folder).rglob("*.parquet"))
    report.add(
        Figure(
            section=SECTION,
            name=f"export of {scale.exported_rows:,} tickets to Parquet",
            value=seconds,
            unit="s",
            goal=Goal(at_most=_SECONDS_MAX),
            details={
                "rows_per_second": scale.exported_rows / seconds,
                "megabytes": size / 1e6,
                "copy_of_the_same_rows_seconds": copied,
            },
        )
    )


def _fill(product: Product, rows: int) -> None:
    settings = Settings(
        database_url=SecretStr(product.database_url("query", _DATABASE)),
        kafka_bootstrap_servers=product.kafka,
    )
    store = Database(settings, schema="query")
    store.open()
    try:
        store.migrate("shared.messaging", "services.query")
    finally:
        run(store.close)
    with product.connect(_DATABASE) as connection:
        for first in range(0, rows, _BATCH_ROWS):
            connection.execute(_TICKETS, (first, min(first + _BATCH_ROWS, rows)))
        connection.execute("VACUUM ANALYZE query.tickets")


def _copy(product: Product) -> float:
    """Seconds; what the client gets is thrown away."""
    began = time.perf_counter()
    with product.connect(_DATABASE) as connection, connection.cursor() as cursor:
        wanted: Any = "COPY (SELECT * FROM bi.fct_ticket) TO STDOUT"
        with cursor.copy(wanted) as copy:
            for _ in copy:
                pass
    return time.perf_counter() - began
