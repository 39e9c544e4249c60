"""A fresh database with the product's roles and schemas, beside others on the same PostgreSQL."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow

from deploy.bootstrap import BI_READER, SERVICES, DatabasePlan, prepare_database
from deploy.bootstrap.database import BI_SCHEMA, GENERATIONS, grants

# Roles belong to the whole server. Every session gives them the same passwords, or sessions that share
# a server would lock each other out.
_PASSWORDS: Final = {role: f"of-the-tests-{role}" for role in (*SERVICES, BI_READER)}


@dataclass(frozen=True)
class Database:
    """A database of this test session.

    Args:
        name: its name.
        superuser: the superuser's URL or conninfo, to this database.
    """

    name: str
    superuser: str = field(repr=False)

    def url(self, role: str) -> str:
        """The URL of one role (`intake`, `routing`, `sla`, `query`, `bi_reader`)."""
        parts = conninfo_to_dict(self.superuser)
        return f"postgresql://{role}:{_PASSWORDS[role]}@{parts['host']}:{parts['port']}/{self.name}"

    def rule(self, schema: str) -> psycopg.Connection[TupleRow]:
        """A superuser's connection that looks into one schema."""
        return psycopg.connect(self.superuser, options=f"-c search_path={schema}")


def empty(connection: psycopg.Connection[Any], tables: Iterable[str]) -> None:
    """Delete all rows of tables that have few; TRUNCATE takes twenty times as long, for it makes every file anew.

    Args:
        connection: a superuser's: neither triggers nor foreign keys have a say in it.
        tables: names, as the connection's search_path finds them.
    """
    deletions = [f"DELETE FROM {table}" for table in tables]
    connection.execute("; ".join(["SET LOCAL session_replication_role = replica", *deletions]))


@contextmanager
def fresh_database(superuser: str) -> Iterator[Database]:
    """A database as it is before the first migration, of one's own until the end of the block.

    Args:
        superuser: URL or conninfo of a superuser, to any database of the server.
    """
    free = _FREE.setdefault(superuser, [])
    made = free.pop() if free else _make(superuser)
    try:
        yield made
    finally:
        _clear(made)
        free.append(made)


def drop_databases(superuser: str) -> None:
    """Leave nothing on a server that others use as well."""
    with psycopg.connect(superuser, autocommit=True) as connection:
        for made in _FREE.pop(superuser, []):
            connection.execute(
                sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(made.name))
            )


_FREE: Final[dict[str, list[Database]]] = {}
"""Used and empty again, by server: to make one and to drop it costs more than most tests."""


def _make(superuser: str) -> Database:
    name = f"ticketing_test_{uuid4().hex[:12]}"
    prepare_database(superuser, DatabasePlan(name, _PASSWORDS))
    return Database(name, make_conninfo(superuser, dbname=name))


def _clear(used: Database) -> None:
    with psycopg.connect(used.superuser) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        for schema in (*SERVICES, *GENERATIONS, BI_SCHEMA):
            connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(schema)))
        for statement in grants(used.name):
            connection.execute(statement)
