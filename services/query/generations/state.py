"""What is known about generations: which is live, which is being built and how far, which is kept."""

from datetime import datetime
from typing import Any, Final

import msgspec
from psycopg.sql import SQL, Identifier

from services.query.projections.groups import TABLES, TOPICS, Group
from services.query.views.freshness import CONSUMER
from shared.database import Transaction
from shared.topics import Topic

LIVE: Final = "query"
NEXT: Final = "query_next"
OLD: Final = "query_old"


def builder_of(group: Group) -> str:
    """The name under which a generation that is being built keeps its positions."""
    return f"{CONSUMER}.next.{group}"


class Generation(msgspec.Struct, frozen=True):
    """One generation of one group; times are aware UTC."""

    number: int
    state: str
    stage: str
    shape: str
    started_at: datetime
    switched_at: datetime | None
    event_count: int


class Overview(msgspec.Struct, frozen=True):
    """One group, for people.

    Attributes:
        live: the number of the generation that is read.
        building: the one beside it, if any.
        old: the one that was replaced last, while its tables are kept.
        live_bytes, next_bytes, old_bytes: what their tables and indexes take.
        done, total: events that the generation being built has passed, of those the live one has.
    """

    group: Group
    live: int
    building: Generation | None
    old: Generation | None
    live_bytes: int
    next_bytes: int
    old_bytes: int
    done: int
    total: int


def overview(tx: Transaction) -> list[Overview]:
    """All groups."""
    return [_overview(tx, group) for group in Group]


def generations(tx: Transaction, group: Group) -> dict[str, Generation]:
    """State → the newest generation in it."""
    tx.cursor.execute(
        "SELECT number, state, stage, shape, started_at, switched_at, event_count FROM generations"
        " WHERE name = %s ORDER BY number",
        (group,),
    )
    return {row["state"]: msgspec.convert(row, Generation) for row in tx.cursor.fetchall()}


def live_number(found: dict[str, Generation]) -> int:
    """A group that was never rebuilt is at its first generation."""
    return found["live"].number if "live" in found else 1


def positions(tx: Transaction, consumer: str, group: Group) -> dict[tuple[Topic, int], int]:
    """Topic and partition → the next offset, of the topics that the group is folded from."""
    tx.cursor.execute(
        "SELECT topic, partition, position FROM consumer_positions"
        " WHERE consumer = %s AND topic = ANY(%s)",
        (consumer, [topic.value for topic in TOPICS[group]]),
    )
    return {
        (Topic(row["topic"]), row["partition"]): row["position"] for row in tx.cursor.fetchall()
    }


def drop_old(tx: Transaction, group: Group) -> bool:
    """Drop the tables that the last switch replaced. False: there are none."""
    if "old" not in generations(tx, group):
        return False
    drop_tables(tx, OLD, group)
    tx.cursor.execute(
        "UPDATE generations SET state = 'dropped' WHERE name = %s AND state = 'old'", (group,)
    )
    return True


def drop_tables(tx: Transaction, schema: str, group: Group) -> None:
    """Remove the group's tables from `query_next` or `query_old`."""
    assert schema != LIVE
    for table in TABLES[group]:
        tx.cursor.execute(SQL("DROP TABLE IF EXISTS {}").format(Identifier(schema, table)))


def _overview(tx: Transaction, group: Group) -> Overview:
    found = generations(tx, group)
    total, own = positions(tx, CONSUMER, group), positions(tx, builder_of(group), group)
    return Overview(
        group,
        live_number(found),
        found.get("building"),
        found.get("old"),
        _bytes(tx, LIVE, group),
        _bytes(tx, NEXT, group),
        _bytes(tx, OLD, group),
        sum(own.values()),
        sum(total.values()),
    )


def _bytes(tx: Transaction, schema: str, group: Group) -> int:
    row: dict[str, Any] | None = tx.cursor.execute(
        "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint AS size FROM pg_class AS c"
        " WHERE c.relnamespace = to_regnamespace(%s) AND c.relname = ANY(%s) AND c.relkind = 'r'",
        (schema, list(TABLES[group])),
    ).fetchone()
    return int(row["size"]) if row else 0
