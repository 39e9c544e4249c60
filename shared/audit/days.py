"""Closing a day: one signed root over the heads of all streams that grew in it."""

from datetime import date
from typing import Final

import structlog

from shared.audit import chain
from shared.audit.kept_tree import KeptTree
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


def _tree(tx: Transaction, day: date) -> KeptTree:
    tree = KeptTree(tx, day)
    with tx.cursor.connection.cursor(name="audit_heads_of_day") as cursor:
        cursor.itersize = _PAGE
        cursor.execute(
            "SELECT uuid_send(stream_id) AS stream, version, link FROM audit_heads"
            " WHERE day = %s ORDER BY stream_id",
            (day,),
        )
        for row in cursor:
            tree.add(chain.head(bytes(row["stream"]), row["version"], bytes(row["link"])))
    return tree
