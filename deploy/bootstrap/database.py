"""Roles, schemas and grants: each service alone in its schema, `bi_reader` reading only `bi`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

SERVICES: Final = ("intake", "routing", "sla", "query")
"""Role and schema of each service carry the service's own name."""

BI_READER: Final = "bi_reader"
BI_SCHEMA: Final = "bi"
BI_OWNER: Final = "query"
GENERATIONS: Final = ("query_next", "query_old")
"""Where query builds its tables anew, and keeps those that were replaced; nobody else sees them."""

_BI_STATEMENT_TIMEOUT: Final = "60s"
"""A report that reads longer than this belongs on a replica; it must not hold back vacuum here."""

_BI_IDLE_TIMEOUT: Final = "5min"
"""Nor may a notebook that somebody left open in the middle of a transaction."""

_LOCK_KEY: Final = (
    0x7469636B  # "tick": two bootstraps at once would collide in the roles' catalogue
)


@dataclass(frozen=True, slots=True)
class DatabasePlan:
    """What must exist afterwards.

    Args:
        database: name of the product's one database.
        passwords: role → password, for each of `SERVICES` and for `BI_READER`.
    """

    database: str
    passwords: Mapping[str, str] = field(repr=False)

    def __post_init__(self) -> None:
        """Raises ValueError naming the roles without a password: such a role is never made."""
        missing = [role for role in (*SERVICES, BI_READER) if not self.passwords.get(role)]
        if missing:
            raise ValueError(f"no password for: {', '.join(missing)}")


def prepare_database(superuser_conninfo: str, plan: DatabasePlan) -> None:
    """Makes the database, its roles, schemas and grants. Blocks; not for an event loop.

    Args:
        superuser_conninfo: conninfo or URL of a superuser, to any existing database of the server.
        plan: what must exist afterwards.

    Raises:
        psycopg.OperationalError: the server cannot be reached, or refuses this user.
    """
    with psycopg.connect(superuser_conninfo, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [_LOCK_KEY])
        for role, password in plan.passwords.items():
            _ensure_role(connection, role, password)
        _ensure_database(connection, plan.database)
        inside = make_conninfo(superuser_conninfo, dbname=plan.database)
        with psycopg.connect(inside) as owner:
            for statement in grants(plan.database):
                owner.execute(statement)


def grants(database: str) -> list[sql.Composed]:
    """The statements, in order, that give every role its place inside the database."""
    db, bi = sql.Identifier(database), sql.Identifier(BI_SCHEMA)
    statements = [
        sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(db),
        sql.SQL("REVOKE ALL ON SCHEMA public FROM PUBLIC").format(),
    ]
    for service in SERVICES:
        role = sql.Identifier(service)
        statements += [
            sql.SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO {}").format(db, role),
            sql.SQL("CREATE SCHEMA IF NOT EXISTS {} AUTHORIZATION {}").format(role, role),
            sql.SQL("ALTER ROLE {} IN DATABASE {} SET search_path = {}").format(role, db, role),
        ]
    reader, owner = sql.Identifier(BI_READER), sql.Identifier(BI_OWNER)
    in_database = sql.SQL("ALTER ROLE {} IN DATABASE {} SET ").format(reader, db)
    statements += [
        sql.SQL("CREATE SCHEMA IF NOT EXISTS {} AUTHORIZATION {}").format(
            sql.Identifier(schema), owner
        )
        for schema in GENERATIONS
    ]
    return [
        *statements,
        sql.SQL("CREATE SCHEMA IF NOT EXISTS {} AUTHORIZATION {}").format(bi, owner),
        sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(db, reader),
        sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(bi, reader),
        sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA {} TO {}").format(bi, reader),
        # views that a later migration makes are readable without the migration knowing the reader
        sql.SQL(
            "ALTER DEFAULT PRIVILEGES FOR ROLE {} IN SCHEMA {} GRANT SELECT ON TABLES TO {}"
        ).format(owner, bi, reader),
        in_database + sql.SQL("search_path = {}").format(bi),
        in_database + sql.SQL("default_transaction_read_only = on"),
        # whom it speaks for no service knows: the server's log tells what was asked, and from which address
        in_database + sql.SQL("log_statement = 'all'"),
        in_database + sql.SQL("statement_timeout = {}").format(sql.Literal(_BI_STATEMENT_TIMEOUT)),
        in_database
        + sql.SQL("idle_in_transaction_session_timeout = {}").format(sql.Literal(_BI_IDLE_TIMEOUT)),
    ]


def _ensure_role(connection: psycopg.Connection, role: str, password: str) -> None:
    # hashed here, so that the password itself reaches neither the server's log nor its statistics
    verifier = connection.pgconn.encrypt_password(
        password.encode(), role.encode(), b"scram-sha-256"
    ).decode()
    found = connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [role]).fetchone()
    verb = sql.SQL("CREATE" if found is None else "ALTER")
    connection.execute(
        sql.SQL("{} ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD {}").format(
            verb, sql.Identifier(role), sql.Literal(verifier)
        )
    )


def _ensure_database(connection: psycopg.Connection, database: str) -> None:
    found = connection.execute("SELECT FROM pg_database WHERE datname = %s", [database]).fetchone()
    if found is None:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
