"""Proofs of single streams: the hashes of their events, and how their ends hang under a signed day."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any, Final
from uuid import UUID

import psycopg
from fastapi import APIRouter, Depends, Query
from psycopg.rows import DictRow
from psycopg.sql import SQL, Identifier
from pydantic import BaseModel, ConfigDict, Field

from shared.audit import chain, merkle
from shared.audit.roots import told
from shared.audit.sealer import Sealer
from shared.database import Database
from shared.errors import Refused
from shared.security import Principal, Role, require

STREAMS_MAX: Final = 200
EVENTS_MAX: Final = 20_000
"""Of one answer: as many as the history of one ticket may have as a file."""

FORM: Final = "ticketing.audit.1"
"""Says in a file what a line is."""

_DAY: Final = """
SELECT number, day, last, event_count, stream_count, seal_number, seal_hash, heads_root, previous, hash, key_id,
       signature, signed_at
FROM audit_days WHERE last >= %s ORDER BY number LIMIT 1
"""
_HEADS: Final = """
SELECT number, heads FROM audit_day_heads WHERE day = %s AND first <= %s ORDER BY number DESC LIMIT 1
"""

Connection = psycopg.AsyncConnection[DictRow]


class TooManyEvents(Refused):
    """The streams have more events than an answer may tell."""

    status = 422
    title = "Too many events"


class ProofsQuery(BaseModel):
    """Which streams."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stream: Annotated[list[UUID], Field(min_length=1, max_length=STREAMS_MAX)]


def proofs_router(store: Database, sealer: Sealer) -> APIRouter:
    """`/v1/audit/roots/<service>/proofs`: what a verifier without the database needs."""
    router = APIRouter(tags=["audit"])

    @router.get(
        f"/v1/audit/roots/{sealer.service}/proofs",
        summary="Hashes of every event of these streams, and their place under the newest signed day they grew on.",
    )
    async def proofs(
        _: Annotated[Principal, Depends(require(Role.SUPERVISOR))],
        query: Annotated[ProofsQuery, Query()],
    ) -> dict[str, Any]:
        pool = await store.pool()
        async with pool.connection() as connection, connection.transaction():
            streams = await _streams(connection, sealer, query.stream)
            days: dict[date, dict[str, Any]] = {}
            proven = [await _proof(connection, one, events, days) for one, events in streams]
        return {
            "proof": FORM,
            "service": sealer.service,
            "public_key": sealer.key.public if sealer.key else None,
            "days": [told(days[day]) for day in sorted(days)],
            "streams": proven,
        }

    return router


async def _streams(
    connection: Connection, sealer: Sealer, wanted: Sequence[UUID]
) -> list[tuple[UUID, list[tuple[int, int, bytes]]]]:
    """Version, position and hash of each event, by stream."""
    found = await connection.execute(
        SQL(
            "SELECT originator_id AS stream, originator_version AS version, notification_id AS position, topic,"
            " sha256(state) AS digest FROM {} WHERE {} = ANY(%s)"
            " ORDER BY originator_id, originator_version LIMIT %s"
        ).format(Identifier(sealer.table), Identifier(sealer.found_by)),
        (list(wanted), EVENTS_MAX + 1),
    )
    rows = await found.fetchall()
    if len(rows) > EVENTS_MAX:
        raise TooManyEvents(f"These streams have more than {EVENTS_MAX} events.")
    streams: dict[UUID, list[tuple[int, int, bytes]]] = {}
    for row in rows:
        stream, version, position = row["stream"], row["version"], row["position"]
        leaf = chain.leaf(position, stream.bytes, version, row["topic"], bytes(row["digest"]))
        streams.setdefault(stream, []).append((version, position, leaf))
    return list(streams.items())


async def _proof(
    connection: Connection,
    stream: UUID,
    events: Sequence[tuple[int, int, bytes]],
    days: dict[date, dict[str, Any]],
) -> dict[str, Any]:
    said: dict[str, Any] = {
        "stream": stream,
        "events": [(version, position, leaf.hex()) for version, position, leaf in events],
        "day": None,
    }
    newest = await (await connection.execute("SELECT max(last) AS last FROM audit_days")).fetchone()
    last = newest["last"] if newest else None
    covered = [position for _, position, _ in events if last is not None and position <= last]
    if not covered:
        return said
    day = await (await connection.execute(_DAY, (covered[-1],))).fetchone()
    assert day is not None, "positions up to the newest day's last are in some day"
    row = await (await connection.execute(_HEADS, (day["day"], stream))).fetchone()
    place = None if row is None else _place(bytes(row["heads"]), stream)
    if row is None or place is None:
        return said  # signed by a version that kept no heads
    roots = await connection.execute(
        "SELECT root FROM audit_day_heads WHERE day = %s ORDER BY number", (day["day"],)
    )
    above = [bytes(each["root"]) for each in await roots.fetchall()]
    leaves = [merkle.leaf_hash(one) for one in _heads(bytes(row["heads"]))]
    path = [*merkle.path(leaves, place), *merkle.path(above, row["number"])]
    days[day["day"]] = day
    return said | {
        "day": day["day"],
        "head": len(covered),
        "index": row["number"] * merkle.CHUNK + place,
        "path": [step.hex() for step in path],
    }


def _heads(packed: bytes) -> list[bytes]:
    size = chain.ENTRY_BYTES
    return [packed[at : at + size] for at in range(0, len(packed), size)]


def _place(packed: bytes, stream: UUID) -> int | None:
    found = [place for place, one in enumerate(_heads(packed)) if one[:16] == stream.bytes]
    return found[0] if found else None
