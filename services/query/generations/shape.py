"""Tables like the live ones: columns, constraints, indexes, triggers, storage, grants; nothing is written down twice.

Everything is read from PostgreSQL's catalogue, so a generation has what any migration ever gave the live tables.
"""

import hashlib
from typing import Any, Final, LiteralString

from psycopg.sql import SQL, Composed, Identifier

from services.query.generations.state import LIVE, NEXT, drop_tables
from services.query.projections.groups import TABLES, Group
from shared.database import Transaction

_COLUMNS: Final[LiteralString] = """
SELECT attname::text AS name, format_type(atttypid, atttypmod) AS type, attnotnull AS is_required,
       attgenerated <> '' AS is_generated, pg_get_expr(d.adbin, d.adrelid) AS default
FROM pg_attribute AS a LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""

# Check constraints come with LIKE; these do not.
_KEYS: Final[LiteralString] = """
SELECT conname::text AS name, pg_get_constraintdef(oid) AS definition FROM pg_constraint
WHERE conrelid = %s::regclass AND contype IN ('p', 'u', 'x') ORDER BY contype, conname
"""

_INDEXES: Final[LiteralString] = """
SELECT c.relname::text AS name, pg_get_indexdef(i.indexrelid) AS definition FROM pg_index AS i
JOIN pg_class AS c ON c.oid = i.indexrelid
WHERE i.indrelid = %s::regclass AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = i.indexrelid)
ORDER BY 1
"""

_TRIGGERS: Final[LiteralString] = """
SELECT tgname::text AS name, pg_get_triggerdef(oid) AS definition FROM pg_trigger
WHERE tgrelid = %s::regclass AND NOT tgisinternal ORDER BY 1
"""

_OPTIONS: Final[LiteralString] = (
    "SELECT coalesce(reloptions, '{}') AS options FROM pg_class WHERE oid = %s::regclass"
)

_GRANTS: Final[LiteralString] = """
SELECT a.grantee::regrole::text AS role, a.privilege_type AS privilege
FROM pg_class AS c CROSS JOIN LATERAL aclexplode(c.relacl) AS a
WHERE c.oid = %s::regclass AND a.grantee <> c.relowner AND a.grantee <> 0
"""


def shape_of(tx: Transaction, group: Group) -> str:
    """A digest of the live tables' definitions; a migration in the middle of a build changes it."""
    digest = hashlib.blake2b(digest_size=12)
    for table in TABLES[group]:
        for query in (_COLUMNS, _KEYS, _INDEXES, _TRIGGERS, _OPTIONS):
            digest.update(repr(_rows(tx, query, f"{LIVE}.{table}")).encode())
    return digest.hexdigest()


def exists(tx: Transaction, schema: str, group: Group) -> bool:
    """Whether all tables of the group stand in this schema."""
    tx.cursor.execute(
        "SELECT count(*) AS n FROM unnest(%s::text[]) AS t WHERE to_regclass(%s || '.' || t) IS NOT NULL",
        (list(TABLES[group]), schema),
    )
    row = tx.cursor.fetchone()
    return row is not None and int(row["n"]) == len(TABLES[group])


def make_tables(tx: Transaction, group: Group) -> None:
    """The group's tables in `query_next`, empty, with keys and triggers; other indexes come when they are full."""
    drop_tables(tx, NEXT, group)
    for table in TABLES[group]:
        live, new = f"{LIVE}.{table}", Identifier(NEXT, table)
        tx.cursor.execute(
            SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL EXCLUDING INDEXES)").format(
                new, Identifier(LIVE, table)
            )
        )
        for option in _rows(tx, _OPTIONS, live)[0]["options"]:
            tx.cursor.execute(SQL("ALTER TABLE {} SET ({})").format(new, _text(option)))
        for key in _rows(tx, _KEYS, live):
            tx.cursor.execute(
                SQL("ALTER TABLE {} ADD CONSTRAINT {} {}").format(
                    new, Identifier(key["name"]), _text(key["definition"])
                )
            )
        for trigger in _rows(tx, _TRIGGERS, live):
            tx.cursor.execute(_moved(trigger["definition"], table))
        for grant in _rows(tx, _GRANTS, live):
            tx.cursor.execute(
                SQL("GRANT {} ON {} TO {}").format(
                    _text(grant["privilege"]), new, _text(grant["role"])
                )
            )


def make_indexes(tx: Transaction, group: Group) -> None:
    """What is quicker made over a full table than kept while it fills."""
    tx.cursor.execute("SET LOCAL maintenance_work_mem = '256MB'")
    for table in TABLES[group]:
        for index in _rows(tx, _INDEXES, f"{LIVE}.{table}"):
            tx.cursor.execute(_moved(index["definition"], table))
        tx.cursor.execute(SQL("ANALYZE {}").format(Identifier(NEXT, table)))


def columns(tx: Transaction, table: str) -> list[dict[str, Any]]:
    """The live table's columns in order: `name`, `type`, `is_generated`."""
    return _rows(tx, _COLUMNS, f"{LIVE}.{table}")


def key_of(tx: Transaction, table: str) -> list[str]:
    """The columns of the primary key, without those it only carries; of a table without one, all."""
    rows = _rows(
        tx,
        "SELECT a.attname::text AS name FROM pg_index AS i"
        " CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (number, place)"
        " JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.number"
        " WHERE i.indrelid = %s::regclass AND i.indisprimary AND k.place <= i.indnkeyatts ORDER BY k.place",
        f"{LIVE}.{table}",
    )
    return [row["name"] for row in rows]


def _rows(tx: Transaction, query: LiteralString, table: str) -> list[dict[str, Any]]:
    return tx.cursor.execute(query, (table,)).fetchall()


def _moved(definition: str, table: str) -> Composed:
    """The definition for the table of the same name in `query_next`; PostgreSQL always writes the schema's name."""
    for name in (table, f'"{table}"'):
        here, there = f" ON {LIVE}.{name} ", f" ON {NEXT}.{name} "
        if here in definition:
            return _text(definition.replace(here, there, 1))
    raise AssertionError(f"no table in: {definition}")


def _text(definition: str) -> Composed:
    """A definition that PostgreSQL itself has written."""
    return SQL("{}").format(SQL(definition))  # not a literal, but from the catalogue
