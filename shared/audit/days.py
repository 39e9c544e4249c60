"""Closing a day: one signed root over the heads of all streams that grew in it."""

from datetime import date
from typing import Final
from uuid import UUID

import structlog

from shared.audit import chain, merkle
from shared.audit.signing import AuditKey
from shared.database import Transaction

log = structlog.get_logger(__name__)

_PAGE: Final = 20_000
"""Heads fetched at once: 3 MB."""


def close_day(tx: Transaction, service: str, day: date, key: AuditKey | None) -> None:
    """Sign the day; nothing happens when it is signed already.

    Called before the first event of a later day is sealed, so the heads are those at the day's end.
    """
    run = tx.cursor.execute
    if run("SELECT 1 FROM audit_days WHERE day = %s", (day,)).fetchone():
        return
    last = run("SELECT number, hash FROM audit_days ORDER BY number DESC LIMIT 1").fetchone()
    seals = run(
        "SELECT max(number) AS number, max(last) AS last, sum(event_count)::bigint AS event_count"
        " FROM audit_seals WHERE day = %s",
        (day,),
    ).fetchone()
    if seals is None or seals["number"] is None:
        return  # the day's seals have vanished; that is told where it is noticed, and verification finds it
    seal = run("SELECT hash FROM audit_seals WHERE number = %s", (seals["number"],)).fetchone()
    assert seal is not None
    tree = _tree(tx, day)
    root = chain.DayRoot(
        service=service,
        number=last["number"] + 1 if last else 1,
        day=day,
        last=seals["last"],
        event_count=seals["event_count"],
        stream_count=tree.count,
        seal_number=seals["number"],
        seal_hash=bytes(seal["hash"]),
        heads_root=tree.root(),
        previous=bytes(last["hash"]) if last else chain.NOTHING,
    )
    digest = root.hash()
    run(
        "INSERT INTO audit_days (number, day, last, event_count, stream_count, seal_number, seal_hash,"
        " heads_root, previous, hash, key_id, signature, signed_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %b, %b, %b, %b, %s, %b, %s)",
        (
            *(root.number, root.day, root.last, root.event_count, root.stream_count),
            *(root.seal_number, root.seal_hash, root.heads_root, root.previous, digest),
            *(key.id if key else None, key.sign(digest) if key else None, tx.now),
        ),
    )
    # In the log too: whoever keeps logs elsewhere keeps a witness.
    log.info("audit_day_signed", service=service, day=day.isoformat(), root=digest.hex())


def _tree(tx: Transaction, day: date) -> merkle.Tree:
    """The day's tree; its leaves are kept, for proofs of single streams."""
    tree, chunk = merkle.Tree(), list[bytes]()
    with tx.cursor.connection.cursor(name="audit_heads_of_day") as cursor:
        cursor.itersize = _PAGE
        cursor.execute(
            "SELECT uuid_send(stream_id) AS stream, version, link FROM audit_heads"
            " WHERE day = %s ORDER BY stream_id",
            (day,),
        )
        for row in cursor:
            leaf = chain.head(bytes(row["stream"]), row["version"], bytes(row["link"]))
            tree.add(leaf)
            chunk.append(leaf)
            if len(chunk) == merkle.CHUNK:
                keep_heads(tx, day, tree.count, chunk)
                chunk = []
    if chunk:
        keep_heads(tx, day, tree.count, chunk)
    return tree


def keep_heads(tx: Transaction, day: date, count: int, chunk: list[bytes]) -> None:
    """Keep the last leaves of a day's tree, `count` of which are there; they are a whole chunk, or the rest."""
    tx.cursor.execute(
        "INSERT INTO audit_day_heads (day, number, first, heads, root) VALUES (%s, %s, %s, %b, %b)"
        # There are some already where somebody has removed the day, which verification finds.
        " ON CONFLICT (day, number) DO UPDATE"
        " SET first = EXCLUDED.first, heads = EXCLUDED.heads, root = EXCLUDED.root",
        (
            *(day, (count - 1) // merkle.CHUNK, UUID(bytes=chunk[0][:16])),
            *(b"".join(chunk), merkle.root_of(chunk)),
        ),
    )
