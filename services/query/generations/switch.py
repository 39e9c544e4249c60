"""The switch: compare, catch up the last events, exchange the tables, bind the views anew; one transaction."""

from collections.abc import Sequence
from typing import Any, Final, LiteralString

from psycopg.rows import DictRow
from psycopg.sql import SQL, Composed, Identifier
from psycopg.types.json import Jsonb

from services.query.generations.shape import columns, key_of
from services.query.generations.state import (
    LIVE,
    NEXT,
    OLD,
    builder_of,
    drop_tables,
    generations,
    live_number,
)
from services.query.projections.groups import TABLES, Group
from shared.database import Transaction

_STAMP: Final = "change_tx"
"""The number of the transaction that changed a row last; exported tables have it."""

_BY_NATURE: Final = frozenset({_STAMP, "described_tx", "indexed_bytes"})
"""Differ between generations: when a row was changed or described last, and how a text was cut into batches."""

_TOLD_WITH_TICKETS: Final = frozenset({"messages", "spans", "assignments", "sla_cycles"})
"""What figures of a ticket are made of: `bi.ticket_metrics` shows them at the position of the ticket's own row."""

_BUCKETS: Final = 4_096
"""Shares that the rows of a table are compared in; of those that differ each row is looked at."""

# Views that read these tables, directly or through other views, innermost first.
_VIEWS: Final[LiteralString] = """
WITH RECURSIVE readers AS (
    SELECT r.ev_class AS view, 1 AS depth FROM pg_depend AS d JOIN pg_rewrite AS r ON r.oid = d.objid
    WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass
      AND d.refobjid = ANY(%s::regclass[]) AND r.ev_class <> d.refobjid
    UNION
    SELECT r.ev_class, depth + 1 FROM readers JOIN pg_depend AS d ON d.refobjid = readers.view
    JOIN pg_rewrite AS r ON r.oid = d.objid
    WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND r.ev_class <> d.refobjid
)
SELECT n.nspname::text AS schema, c.relname::text AS name, pg_get_viewdef(c.oid) AS definition,
       coalesce(c.reloptions, '{}') AS options
FROM (SELECT view, max(depth) AS depth FROM readers GROUP BY view) AS v
JOIN pg_class AS c ON c.oid = v.view JOIN pg_namespace AS n ON n.oid = c.relnamespace
ORDER BY v.depth, 1, 2
"""

FIGURES: Final[dict[str, LiteralString]] = {
    Group.TICKETS: "SELECT category, priority, group_id, count(*) AS tickets, count(*) FILTER (WHERE is_open) AS open,"
    " count(*) FILTER (WHERE is_breached) AS breached, sum(reopen_count) AS reopened,"
    " sum(agent_reply_count) AS replies, sum(assignment_count) AS assignments FROM {}.tickets"
    " GROUP BY category, priority, group_id",
    Group.TIMELINE: "SELECT topic, count(*) AS events, sum(version) AS versions FROM {}.timeline GROUP BY topic",
    Group.ORGANISATION: "SELECT presence, count(*) AS agents FROM {}.agents GROUP BY presence",
    Group.CONTACTS: "SELECT tier, count(*) AS contacts FROM {}.contacts GROUP BY tier",
    Group.ONCALL: "SELECT state, count(*) AS pages FROM {}.oncall_pages GROUP BY state",
    "open_counts": "SELECT is_by_agent, category, group_id, priority, is_unassigned, is_at_risk, is_breached,"
    " assignee_id, sum(count) AS counted FROM {}.open_counts GROUP BY 1, 2, 3, 4, 5, 6, 7, 8 HAVING sum(count) <> 0",
}
"""What people look at first, of either generation: by group, or instead of the rows of a table whose rows depend on
which writers met."""


def keep_vacuum_out(tx: Transaction, group: Group, *, lock_ms: int) -> None:
    """Let no vacuum of these tables, or of others that their views read, run from here on; readers and writers go on.

    The exchange locks the views, and PostgreSQL locks with a view all that it reads. An automatic vacuum gives way to
    who waits for it, but only after PostgreSQL's `deadlock_timeout` (1 s), which is longer than readers may be kept
    waiting for the exchange: without this, that would fail as long as a vacuum runs.

    Raises:
        psycopg.errors.LockNotAvailable: somebody vacuums or alters them by hand.
    """
    tables = [Identifier(NEXT, table) for table in TABLES[group]]
    tables += _exchanged(group, _views(tx, group))
    tx.cursor.execute(f"SET LOCAL lock_timeout = {lock_ms}")
    statement = SQL("LOCK TABLE {} IN SHARE UPDATE EXCLUSIVE MODE")
    tx.cursor.execute(statement.format(SQL(", ").join(tables)))
    tx.cursor.execute("SET LOCAL lock_timeout = 0")


def touch_differences(tx: Transaction, group: Group) -> dict[str, int]:
    """Find rows that came out otherwise, or new, and stamp them as changed now, so that copies learn of them.

    A copy reads by the number of the transaction that changed a row last, and stops at the oldest that still runs: this
    one. Rows that events have changed since the comparison count too; stamping them again does no harm.

    Returns:
        table → rows that differ.
    """
    found: dict[str, int] = {}
    for table in TABLES[group]:
        known = columns(tx, table)
        key = key_of(tx, table)
        if not key:
            continue
        compared = [c for c in known if c["name"] not in key and c["name"] not in _BY_NATURE]
        if not compared:
            continue
        buckets = _differing_buckets(tx, table, key, compared)
        if not buckets:
            continue
        match = SQL(" AND ").join(SQL("n.{0} = l.{0}").format(Identifier(name)) for name in key)
        differs = SQL("ROW({}) IS DISTINCT FROM ROW({})").format(
            SQL(", ").join(_comparable("n", column) for column in compared),
            SQL(", ").join(_comparable("l", column) for column in compared),
        )
        absent = SQL("l.{} IS NULL").format(Identifier(key[0]))
        join = SQL(
            "(SELECT * FROM {} AS t WHERE {bucket} = ANY({buckets})) AS n LEFT JOIN"
            " (SELECT * FROM {} AS t WHERE {bucket} = ANY({buckets})) AS l ON {} WHERE {} OR {}"
        ).format(
            Identifier(NEXT, table),
            Identifier(LIVE, table),
            match,
            absent,
            differs,
            bucket=_bucket(key),
            buckets=buckets,
        )
        if any(column["name"] == _STAMP for column in known):
            # The trigger of exported tables stamps whatever is updated.
            tx.cursor.execute(
                SQL(
                    "UPDATE {new} AS t SET {first} = t.{first} FROM (SELECT {keys} FROM {join}) AS d WHERE {same}"
                ).format(
                    new=Identifier(NEXT, table),
                    first=Identifier(key[0]),
                    keys=SQL(", ").join(SQL("n.{}").format(Identifier(name)) for name in key),
                    join=join,
                    same=SQL(" AND ").join(
                        SQL("t.{0} = d.{0}").format(Identifier(name)) for name in key
                    ),
                )
            )
            count = tx.cursor.rowcount
        else:
            row = tx.cursor.execute(SQL("SELECT count(*) AS n FROM {}").format(join)).fetchone()
            count = row["n"] if row else 0
        if count:
            found[table] = count
            if table in _TOLD_WITH_TICKETS:
                _touch_tickets(tx, join)
    return found


def _touch_tickets(tx: Transaction, rows: Composed) -> None:
    """Stamp the tickets of these rows. `rows`: what a statement selects from, with `n.ticket_id`."""
    tx.cursor.execute(
        SQL(
            "UPDATE {} SET ticket_id = ticket_id WHERE ticket_id IN (SELECT n.ticket_id FROM {})"
        ).format(Identifier(NEXT, "tickets"), rows)
    )


def _differing_buckets(
    tx: Transaction, table: str, key: list[str], compared: list[dict[str, Any]]
) -> list[int]:
    """Where the rows of both are not the same: both tables are read once, and nothing is sorted or kept.

    Rows are shared out by a hash of their key; of each share the hashes of its rows are added up, in whatever order.
    """
    sums = SQL(" EXCEPT ALL ").join(
        SQL(
            "SELECT {} AS bucket, sum(hash_record_extended(ROW({}), 0)) FROM {} AS t GROUP BY 1"
        ).format(
            _bucket(key),
            SQL(", ").join(
                [SQL("t.{}").format(Identifier(name)) for name in key]
                + [_hashable("t", column) for column in compared]
            ),
            Identifier(schema, table),
        )
        for schema in (NEXT, LIVE)
    )
    return [row["bucket"] for row in tx.cursor.execute(sums).fetchall()]


def _bucket(key: list[str]) -> Composed:
    columns = SQL(", ").join(SQL("t.{}").format(Identifier(name)) for name in key)
    return SQL("(hash_record(ROW({})) & {})").format(columns, _BUCKETS - 1)


def compare(tx: Transaction, group: Group) -> list[str]:
    """What is not the same in both, at the same position: rows of each table, and the figures; as sentences."""
    said: list[str] = []
    for table in TABLES[group]:
        if table in FIGURES:
            said += _differences(tx, FIGURES[table])
            continue
        live, new = (_count(tx, Identifier(schema, table)) for schema in (LIVE, NEXT))
        if live != new:
            said.append(f"{table}: {live:,} rows live, {new:,} in the new generation")
    return said + _differences(tx, FIGURES[group])


def _differences(tx: Transaction, figures: LiteralString) -> list[str]:
    live, new = (_figures(tx, SQL(figures).format(Identifier(schema))) for schema in (LIVE, NEXT))
    return [f"live says {line}" for line in sorted(live - new)] + [
        f"the new generation says {line}" for line in sorted(new - live)
    ]


def exchange(tx: Transaction, group: Group, *, lock_ms: int) -> None:
    """Put the new tables in the place of the live ones, and those into `query_old`.

    Raises:
        psycopg.errors.LockNotAvailable: somebody reads for longer than `lock_ms`; nothing has been exchanged.
    """
    cursor = tx.cursor
    path = cursor.execute("SELECT current_setting('search_path') AS path").fetchone()
    cursor.execute(
        "SET LOCAL search_path = pg_catalog"
    )  # so that every name is written with its schema
    views = _views(tx, group)
    cursor.execute("SET LOCAL lock_timeout = {}".format(int(lock_ms)))  # noqa: UP032  # a number
    # From here on readers wait, for milliseconds.
    locked = SQL(", ").join(_exchanged(group, views))
    cursor.execute(SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(locked))
    drop_tables(tx, OLD, group)
    for table in TABLES[group]:
        for schema, to in ((LIVE, OLD), (NEXT, LIVE)):
            cursor.execute(
                SQL("ALTER TABLE {} SET SCHEMA {}").format(
                    Identifier(schema, table), Identifier(to)
                )
            )
    for view in views:
        options = (
            SQL(" WITH ({})").format(SQL(", ".join(view["options"])))
            if view["options"]
            else SQL("")
        )
        cursor.execute(
            SQL("CREATE OR REPLACE VIEW {}{} AS {}").format(
                Identifier(view["schema"], view["name"]), options, SQL(view["definition"])
            )
        )
    cursor.execute("SELECT set_config('search_path', %s, true)", (path["path"] if path else LIVE,))


def _views(tx: Transaction, group: Group) -> list[DictRow]:
    """The views that read live tables of the group, those that others read first."""
    tables = [f"{LIVE}.{table}" for table in TABLES[group]]
    return tx.cursor.execute(_VIEWS, (tables,)).fetchall()


def _exchanged(group: Group, views: Sequence[DictRow]) -> list[Identifier]:
    """What the exchange locks, in the order in which readers do: views first."""
    found = [Identifier(view["schema"], view["name"]) for view in reversed(views)]
    return found + [Identifier(LIVE, table) for table in TABLES[group]]


def note_switch(tx: Transaction, group: Group, differences: dict[str, int]) -> int:
    """Write down that it happened; returns the number of the generation that is live now."""
    found = generations(tx, group)
    number, before = found["building"].number, live_number(found)
    execute = tx.cursor.execute
    execute("UPDATE generations SET state = 'dropped' WHERE name = %s AND state = 'old'", (group,))
    if "live" not in found:
        execute(
            "INSERT INTO generations (name, number, state, stage, shape) VALUES (%s, %s, 'live', 'switched', '')",
            (group, before),
        )
    execute("UPDATE generations SET state = 'old' WHERE name = %s AND state = 'live'", (group,))
    execute(
        "UPDATE generations SET state = 'live', stage = 'switched', switched_at = now(), differences = %s::jsonb"
        " WHERE name = %s AND number = %s",
        (Jsonb(differences), group, number),
    )
    forget_builder(tx, group)
    return number


def forget_builder(tx: Transaction, group: Group) -> None:
    """The positions and versions of the build; those of the live consumer say the same."""
    for table in ("consumer_positions", "stream_versions", "held_events", "parked_events"):
        tx.cursor.execute(
            SQL("DELETE FROM {} WHERE consumer = %s").format(Identifier(table)),
            (builder_of(group),),
        )


def refuse_old_cursors(tx: Transaction) -> None:
    """Rows are gone that no tombstone tells of: copies must be made anew."""
    tx.cursor.execute("DELETE FROM export_seal")
    tx.cursor.execute("INSERT INTO export_seal DEFAULT VALUES")


def _comparable(alias: str, column: dict[str, Any]) -> Composed:
    name = SQL("{}.{}").format(SQL(alias), Identifier(column["name"]))
    if column["type"] == "json":
        return SQL("{}::text").format(name)  # json has no equality
    if column["type"] == "tsvector":
        return SQL("strip({})").format(
            name
        )  # where in the text a word stands depends on the batches
    return name


def _hashable(alias: str, column: dict[str, Any]) -> Composed:
    comparable = _comparable(alias, column)
    return SQL("{}::text").format(comparable) if column["type"] == "tsvector" else comparable


def _count(tx: Transaction, table: Identifier) -> int:
    row = tx.cursor.execute(SQL("SELECT count(*) AS n FROM {}").format(table)).fetchone()
    return int(row["n"]) if row else 0


def _figures(tx: Transaction, query: Composed) -> set[str]:
    return {
        ", ".join(f"{name} {value}" for name, value in row.items())
        for row in tx.cursor.execute(query).fetchall()
    }
