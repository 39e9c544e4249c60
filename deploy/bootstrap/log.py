"""The way back after Kafka was lost: everything is published again, and everybody reads from the start."""

from typing import Final

import psycopg
import structlog
from psycopg import sql
from psycopg.conninfo import make_conninfo

from deploy.bootstrap.database import SERVICES

log = structlog.get_logger(__name__)

_PUBLISHERS: Final = ("intake", "routing", "sla")


class StillRunning(Exception):
    """Services are connected: they would go on from where they were, and undo half of it."""


def start_log_over(conninfo: str, database: str) -> None:
    """Forget where relays and readers were in a log that is no more; all or nothing, and harmless when repeated.

    What was applied stays applied: the versions of streams that each reader keeps let a second publication pass
    without effect.

    Args:
        conninfo: of a superuser.
        database: the product's.

    Raises:
        StillRunning: a service is connected; nothing was changed.
        psycopg.Error: the server refuses or is away; nothing was changed.
    """
    with psycopg.connect(make_conninfo(conninfo, dbname=database)) as connection:
        rows = connection.execute(
            "SELECT DISTINCT usename FROM pg_stat_activity"
            " WHERE datname = current_database() AND usename = ANY(%s) ORDER BY 1",
            (list(SERVICES),),
        ).fetchall()
        if rows:
            names = ", ".join(row[0] for row in rows)
            raise StillRunning(f"stop the services first; connected: {names}")
        for service in SERVICES:
            if _has(connection, f"{service}.consumer_positions"):
                table = sql.Identifier(service, "consumer_positions")
                count = connection.execute(sql.SQL("DELETE FROM {}").format(table)).rowcount
                log.info("reads_from_the_start", service=service, partitions=count)
        for service in _PUBLISHERS:
            if _has(connection, f"{service}.relay_position"):
                table = sql.Identifier(service, "relay_position")
                connection.execute(sql.SQL("UPDATE {} SET notification_id = 0").format(table))
                log.info("publishes_again", service=service)


def _has(connection: psycopg.Connection[tuple[object, ...]], table: str) -> bool:
    row = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (table,)).fetchone()
    return row is not None and bool(row[0])
