"""`docs/bi.md`: the data dictionary of schema `bi`, made from the comments in the database."""

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from psycopg import sql
from pydantic import SecretStr

from deploy.bootstrap import BI_READER, SERVICES, DatabasePlan, prepare_database
from deploy.bootstrap.database import BI_OWNER, BI_SCHEMA
from deploy.local import ports
from deploy.local.child import stop_all
from deploy.local.folder import StateFolder
from deploy.local.postgres import Postgres
from deploy.local.stack import DATABASE, Quiet, start_together
from deploy.reference.markdown import code, page, table
from shared.database import Database, Transaction
from shared.settings import ServiceSettings

_INTRODUCTION: Final = f"""\
Business intelligence reads schema `{BI_SCHEMA}` as role `{BI_READER}`. That role reads these views and nothing else, in
read-only transactions; a statement that runs for a minute is ended. Names follow the marts of the `dbt_zendesk` package
where it has them. Columns are only ever added. Times are UTC. The views are as fresh as the dashboard."""

_COLUMNS: Final = sql.SQL(
    "SELECT c.relname AS view, obj_description(c.oid, 'pg_class') AS says, a.attname AS name,"
    " format_type(a.atttypid, a.atttypmod) AS type, col_description(c.oid, a.attnum) AS meaning"
    " FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
    " WHERE c.relnamespace = {}::regnamespace AND c.relkind = 'v' ORDER BY c.relname, a.attnum"
).format(sql.Literal(BI_SCHEMA))


def bi_page(url: str | None = None) -> str:
    """The page.

    Args:
        url: a database with the product's roles, as role `query`; without it a PostgreSQL is started for a moment.
    """
    if url is None:
        with _passing_database() as made:
            return bi_page(made)
    views: dict[str, list[dict[str, Any]]] = {}
    for row in _columns(url):
        views.setdefault(row["view"], []).append(row)
    return page(
        "Business intelligence: schema bi",
        _INTRODUCTION,
        *(_view(name, columns) for name, columns in views.items()),
        source="the comments of schema bi",
        command="python -m deploy.reference bi",
    )


def _view(name: str, columns: list[dict[str, Any]]) -> str:
    rows = [(code(one["name"]), one["type"], one["meaning"] or "") for one in columns]
    return f"## {name}\n\n{columns[0]['says']}\n\n" + table(("column", "type", "meaning"), rows)


def _columns(url: str) -> list[dict[str, Any]]:
    settings = ServiceSettings(database_url=SecretStr(url), kafka_bootstrap_servers="not asked")
    database = Database(settings, schema=BI_OWNER)
    database.open()
    try:
        database.migrate("shared.messaging", f"services.{BI_OWNER}")
        return database.transact(_read)
    finally:
        asyncio.run(database.close())


def _read(tx: Transaction) -> list[dict[str, Any]]:
    return tx.cursor.execute(_COLUMNS).fetchall()


@contextmanager
def _passing_database() -> Iterator[str]:
    """A fresh PostgreSQL with the product's roles; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="ticketing-reference-") as folder:
        state = StateFolder(Path(folder))
        server = Postgres(state)
        try:
            start_together([server], Quiet())
            passwords = {role: state.secret(role) for role in (*SERVICES, BI_READER)}
            prepare_database(server.conninfo(), DatabasePlan(DATABASE, passwords))
            yield (
                f"postgresql://{BI_OWNER}:{passwords[BI_OWNER]}@{ports.LOOPBACK}:{server.port}/{DATABASE}"
            )
        finally:
            stop_all([server.child] if server.child else [])
