"""Mails that made no ticket: kept with the reason, for people who look for a mail that did not arrive."""

from typing import Any, Final
from uuid import UUID

import msgspec

from services.intake.channels.mail.guard import Verdict
from shared.database import Transaction
from shared.eventstore import EventStore
from shared.identifiers import new_id

LISTED_MAX: Final = 200
"""A page of the list; more is for SQL."""


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """A refused mail. `sha256` is "" for one that was too large to keep."""

    id: UUID
    kind: str
    reason: str
    mailbox: str | None
    sha256: str


def keep(
    tx: Transaction,
    verdict: Verdict,
    *,
    sha256: str,
    size: int,
    subject: str = "",
    sender: str | None = None,
    message_id: str | None = None,
    mailbox: str | None = None,
) -> UUID:
    """Store the refusal with the transaction; returns its id.

    Args:
        tx: the transaction of the mail's claim.
        verdict: why.
        sha256: of the raw mail, "" when it was not fetched.
        size: bytes of the raw mail.
        subject: as far as it is known, like what follows.
        sender: the author's address.
        message_id: without brackets.
        mailbox: its name.
    """
    refusal_id = new_id()
    tx.cursor.execute(
        "INSERT INTO mail_refusals (id, recorded_at, kind, reason, sender, subject, message_id,"
        " mailbox, size, sha256) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            refusal_id, tx.now, verdict.kind, verdict.reason, sender, subject, message_id,
            mailbox, size, sha256,
        ),
    )  # fmt: skip
    return refusal_id


async def listed(
    store: EventStore[Any], *, before: UUID | None, limit: int
) -> list[dict[str, Any]]:
    """The newest ones first; `before`: only those that came before this one."""
    pool = await store.pool()
    async with pool.connection() as connection:
        found = await connection.execute(
            "SELECT id, recorded_at, kind, reason, sender, subject, message_id, mailbox, size, sha256,"
            " ticket_id FROM mail_refusals WHERE %(before)s::uuid IS NULL OR id < %(before)s"
            " ORDER BY id DESC LIMIT %(limit)s",
            {"before": before, "limit": min(limit, LISTED_MAX)},
        )
        return list(await found.fetchall())


async def original_of(store: EventStore[Any], refusal_id: UUID) -> str | None:
    """The hash under which the refused mail is kept; None for no such refusal, and for one too large to keep."""
    pool = await store.pool()
    async with pool.connection() as connection:
        found = await connection.execute(
            "SELECT sha256 FROM mail_refusals WHERE id = %s", (refusal_id,)
        )
        row = await found.fetchone()
    return row["sha256"] or None if row else None


async def one(store: EventStore[Any], refusal_id: UUID) -> Refusal | None:
    """The refusal; None: there is none."""
    pool = await store.pool()
    async with pool.connection() as connection:
        found = await connection.execute(
            "SELECT id, kind, reason, mailbox, sha256 FROM mail_refusals WHERE id = %s",
            (refusal_id,),
        )
        row = await found.fetchone()
    return None if row is None else msgspec.convert(row, Refusal)


def note_ticket(tx: Transaction, refusal_id: UUID, ticket_id: UUID) -> None:
    """A person has opened this ticket of it."""
    tx.cursor.execute(
        "UPDATE mail_refusals SET ticket_id = %s WHERE id = %s", (ticket_id, refusal_id)
    )
