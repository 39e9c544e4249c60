"""The tickets' states in PostgreSQL: loaded with one statement and locked, written back with one."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from services.sla import engine
from services.sla.escalation.state import Escalation
from services.sla.escalation.state import decode as decode_escalation
from services.sla.escalation.state import encode as encode_escalation
from shared.database import Transaction

_COLUMNS = (
    "ticket_id, state, stream_version, next_due, held_due, is_imported, number, group_id,"
    " agent_id, correlation_id, escalation"
)


class Row(msgspec.Struct, kw_only=True):
    """One ticket as this service knows it; changed in place and saved at the end of a transaction.

    Attributes:
        state: what the engine remembers; None until the ticket's opening was heard of.
        stream_version: version of the last event this service has stored about the ticket.
        next_due: the timer that was stored.
        is_imported: the ticket's last fact came by import: nobody is paged.
        group_id, agent_id: who has it, as far as routing's events have come.
        correlation_id: of the request that opened it; timers carry it on.
        escalation: how far its ladders are climbed; None for tickets without.
        escalation_due: when a ladder or a page will next have something to say; set before saving.
    """

    ticket_id: UUID
    state: engine.State | None = None
    stream_version: int = 0
    next_due: datetime | None = None
    held_due: datetime | None = None
    is_imported: bool = False
    number: int | None = None
    group_id: str | None = None
    agent_id: str | None = None
    correlation_id: str = ""
    retry_at: datetime | None = None
    escalation: Escalation | None = None
    escalation_due: datetime | None = None


def load(tx: Transaction, ticket_ids: Collection[UUID]) -> dict[UUID, Row]:
    """The rows of these tickets, locked; one that is not there yet is made.

    Locks are taken in the order of the ids, so two batches that share tickets wait and do not deadlock.
    """
    ids = sorted(set(ticket_ids))
    rows = _lock(tx, ids)
    if missing := [ticket_id for ticket_id in ids if ticket_id not in rows]:
        tx.cursor.execute(
            "INSERT INTO ticket_states (ticket_id) SELECT unnest(%s::uuid[])"
            " ON CONFLICT DO NOTHING RETURNING ticket_id",
            (missing,),
        )
        made = {row["ticket_id"] for row in tx.cursor.fetchall()}
        rows.update((ticket_id, Row(ticket_id=ticket_id)) for ticket_id in made)
        # Another process made it in this very moment: read what it wrote.
        rows.update(_lock(tx, [ticket_id for ticket_id in missing if ticket_id not in made]))
    return rows


def find(tx: Transaction, ticket_id: UUID) -> Row | None:
    """One ticket's row for reading, not locked."""
    tx.cursor.execute(
        f"SELECT {_COLUMNS} FROM ticket_states WHERE ticket_id = %s",  # noqa: S608  # a constant
        (ticket_id,),
        binary=True,
    )
    found = tx.cursor.fetchone()
    return _row(found) if found is not None else None


def load_due(tx: Transaction, horizon: datetime, *, limit: int) -> list[Row]:
    """The tickets whose timer is due, first things first; those another process works on are left out."""
    tx.cursor.execute(
        f"SELECT {_COLUMNS} FROM ticket_states WHERE next_due <= %s"  # noqa: S608  # a constant
        " ORDER BY next_due LIMIT %s FOR UPDATE SKIP LOCKED",
        (horizon, limit),
        binary=True,
    )
    return [_row(found) for found in tx.cursor.fetchall()]


def load_open_after(tx: Transaction, ticket_id: UUID, *, limit: int) -> list[Row]:
    """Tickets with an open clock, in the order of their ids, after this one."""
    tx.cursor.execute(
        f"SELECT {_COLUMNS} FROM ticket_states"  # noqa: S608  # a constant
        " WHERE is_open AND ticket_id > %s ORDER BY ticket_id LIMIT %s FOR UPDATE",
        (ticket_id, limit),
        binary=True,
    )
    return [_row(found) for found in tx.cursor.fetchall()]


def load_after(tx: Transaction, ticket_id: UUID, *, limit: int) -> list[Row]:
    """Tickets whose opening was heard of, in the order of their ids, after this one."""
    tx.cursor.execute(
        f"SELECT {_COLUMNS} FROM ticket_states"  # noqa: S608  # a constant
        " WHERE state IS NOT NULL AND ticket_id > %s ORDER BY ticket_id LIMIT %s FOR UPDATE",
        (ticket_id, limit),
        binary=True,
    )
    return [_row(found) for found in tx.cursor.fetchall()]


def save(tx: Transaction, rows: Iterable[Row], *, now: datetime) -> None:
    """Write the rows back, each with the timer that its state asks for."""
    values = [_values(row, now) for row in rows]
    if not values:
        return
    columns: Sequence[list[object]] = [list(column) for column in zip(*values, strict=True)]
    # %b: binary parameters; as text, every value of every row would be escaped and parsed again.
    tx.cursor.execute(
        "UPDATE ticket_states AS t SET state = n.state, stream_version = n.stream_version,"
        "  next_due = n.next_due, held_due = n.held_due, is_open = n.is_open,"
        "  is_imported = n.is_imported, number = n.number, group_id = n.group_id,"
        "  agent_id = n.agent_id, correlation_id = n.correlation_id, escalation = n.escalation"
        " FROM unnest(%b::uuid[], %b::bytea[], %b::int[], %b::timestamptz[], %b::timestamptz[],"
        "  %b::bool[], %b::bool[], %b::bigint[], %b::text[], %b::text[], %b::text[], %b::bytea[]) AS n"
        "  (ticket_id, state, stream_version, next_due, held_due, is_open, is_imported, number,"
        "   group_id, agent_id, correlation_id, escalation)"
        " WHERE t.ticket_id = n.ticket_id",
        columns,
    )


def earliest_due(tx: Transaction) -> datetime | None:
    """The earliest timer of all tickets; one probe of the index."""
    tx.cursor.execute(
        "SELECT next_due FROM ticket_states WHERE next_due IS NOT NULL ORDER BY next_due LIMIT 1"
    )
    row = tx.cursor.fetchone()
    return row["next_due"] if row else None


def count_due(tx: Transaction, horizon: datetime, *, limit: int) -> int:
    """How many timers are due at `horizon`, counted up to `limit`."""
    tx.cursor.execute(
        "SELECT count(*) AS count FROM"
        " (SELECT next_due FROM ticket_states WHERE next_due <= %s"
        "  ORDER BY next_due LIMIT %s) AS due",
        (horizon, limit),
    )
    return _count(tx)


def count_timers(tx: Transaction) -> int:
    """How many tickets have a timer; reads the whole index."""
    tx.cursor.execute("SELECT count(*) AS count FROM ticket_states WHERE next_due IS NOT NULL")
    return _count(tx)


def _count(tx: Transaction) -> int:
    row = tx.cursor.fetchone()
    assert row is not None, "an aggregate always has a row"
    return int(row["count"])


def _lock(tx: Transaction, ids: Sequence[UUID]) -> dict[UUID, Row]:
    if not ids:
        return {}
    tx.cursor.execute(
        f"SELECT {_COLUMNS} FROM ticket_states WHERE ticket_id = ANY(%s)"  # noqa: S608  # a constant
        " ORDER BY ticket_id FOR UPDATE",
        (list(ids),),
        binary=True,
    )
    return {found["ticket_id"]: _row(found) for found in tx.cursor.fetchall()}


def _row(found: dict[str, object]) -> Row:
    data, climbed = found.pop("state"), found.pop("escalation")
    row = Row(**found)  # type: ignore[arg-type]  # the columns are the fields
    if data is not None:
        assert isinstance(data, bytes | memoryview)
        row.state = engine.decode(bytes(data))
    if climbed is not None:
        assert isinstance(climbed, bytes | memoryview)
        row.escalation = decode_escalation(bytes(climbed))
    return row


def timer_of(row: Row, *, now: datetime) -> tuple[datetime | None, datetime | None]:
    """When time next speaks about this ticket, and the same for one that is held back while an import runs."""
    state = row.state
    moments = (engine.next_due(state) if state is not None else None, row.escalation_due)
    due = min((moment for moment in moments if moment is not None), default=None)
    if due is not None and row.retry_at is not None:
        due = max(due, row.retry_at)
    # While an import runs, what is due in the past may be met by its next line (import_window).
    is_held = row.is_imported and due is not None and due <= now
    return (None, due) if is_held else (due, None)


def _values(row: Row, now: datetime) -> tuple[object, ...]:
    state = row.state
    return (
        row.ticket_id,
        engine.encode(state) if state is not None else None,
        row.stream_version,
        *timer_of(row, now=now),
        state is not None and any(clock.is_open for clock in state.clocks),
        row.is_imported,
        row.number,
        row.group_id,
        row.agent_id,
        row.correlation_id,
        encode_escalation(row.escalation),
    )
