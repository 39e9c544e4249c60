"""How often prepared texts and articles go into replies: counted with the reply that names them."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from shared.database import Transaction
from shared.errors import FieldError, Invalid
from shared.events.messages import Prepared


class Uses(msgspec.Struct, frozen=True):
    """How often, and when last."""

    count: int = 0
    last_used_at: datetime | None = None


def resolved(tx: Transaction, sources: Sequence[Prepared]) -> tuple[Prepared, ...]:
    """The same with the version of each document as it is now.

    Raises:
        Invalid: one of them does not exist.
    """
    found, wrong = [], []
    for place, one in enumerate(sources):
        tx.cursor.execute(
            "SELECT version FROM configuration WHERE kind = %s AND name = %s AND definition IS NOT NULL",
            (one.kind, one.name),
        )
        row = tx.cursor.fetchone()
        if row is None:
            wrong.append(FieldError(f"sources[{place}]", f"there is no {one.kind} {one.name}"))
        else:
            found.append(msgspec.structs.replace(one, version=row["version"]))
    if wrong:
        raise Invalid("The reply names what does not exist.", errors=wrong)
    return tuple(found)


def note(tx: Transaction, sources: Sequence[Prepared], at: datetime) -> None:
    """Count them once more, in the transaction of the reply."""
    names = sorted({(one.kind, one.name) for one in sources})
    tx.cursor.executemany(
        "INSERT INTO prepared_uses (kind, name, count, last_used_at) VALUES (%s, %s, 1, %s)"
        " ON CONFLICT (kind, name) DO UPDATE SET count = prepared_uses.count + 1,"
        " last_used_at = greatest(prepared_uses.last_used_at, excluded.last_used_at)",
        [(kind, name, at) for kind, name in names],
    )


def uses_of(tx: Transaction, kind: str) -> dict[str, Uses]:
    """Of all documents of this kind that were ever used, by name."""
    tx.cursor.execute(
        "SELECT name, count, last_used_at FROM prepared_uses WHERE kind = %s", (kind,)
    )
    return {row["name"]: Uses(row["count"], row["last_used_at"]) for row in tx.cursor.fetchall()}
