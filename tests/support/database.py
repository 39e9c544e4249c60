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
    """A database that exists until the end of the block.

    Args:
        superuser: URL or conninfo of a superuser, to any database of the server.
    """
    name = f"ticketing_test_{uuid4().hex[:12]}"
    prepare_database(superuser, DatabasePlan(name, _PASSWORDS))
    try:
        yield Database(name, make_conninfo(superuser, dbname=name))
    finally:
        with psycopg.connect(superuser, autocommit=True) as connection:
            connection.execute(
                sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
            )
