"""Mails that wait: written with the step to the next period, claimed before they go, settled by who claimed them."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec

from services.query.subscriptions import Subscription
from services.query.views.pools import Pool
from shared.identifiers import derived_id, new_id

CLAIMED_MAX: Final = 20
_ERROR_CHARS_MAX: Final = 300


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """A subscription whose period is over. `version`: as it was read; `changed_by`: who answers for it."""

    id: str
    version: int
    changed_by: str
    document: Subscription
    next_start: date
    next_due_at: datetime


class Mail(msgspec.Struct, frozen=True, kw_only=True):
    """A claimed mail. `raw`: its bytes, the same each time."""

    subscription_id: str
    period: str
    period_start: date
    recipient: str
    mail_id: str
    attempts: int
    created_at: datetime
    claim_id: UUID
    raw: bytes


def mail_id_of(due: Due, recipient: str, domain: str) -> str:
    """The same for the same subscription, period and recipient: whoever gets it twice sees one mail."""
    name = derived_id("report-mail", due.id, due.document.period, due.next_start, recipient)
    return f"report-{name}@{domain}"


async def due(pool: Pool, *, now: datetime, count_max: int = CLAIMED_MAX) -> list[Due]:
    """Subscriptions with a period to tell, the longest due first."""
    async with pool.connection() as connection:
        found = await connection.execute(
            "SELECT id, version, changed_by, document, next_start, next_due_at FROM report_subscriptions"
            " WHERE next_due_at <= %s ORDER BY next_due_at, id LIMIT %s",
            (now, count_max),
        )
        return [msgspec.convert(row, Due) for row in await found.fetchall()]


async def put(
    pool: Pool, one: Due, mails: Mapping[str, tuple[str, bytes]], *, now: datetime
) -> bool:
    """Write the period's mails and go on to the next, in one transaction; False: another process has done it.

    Args:
        pool: connections.
        one: as it was read.
        mails: recipient → Message-ID and bytes.
        now: the moment.
    """
    following = one.document.after(one.next_start)
    async with pool.connection() as connection, connection.transaction():
        moved = await connection.execute(
            "UPDATE report_subscriptions SET next_start = %s, next_due_at = %s, problem = NULL"
            " WHERE id = %s AND version = %s AND next_start = %s",
            (following, one.document.due_at(following), one.id, one.version, one.next_start),
        )
        if not moved.rowcount:
            return False
        for recipient, (mail_id, raw) in mails.items():
            await connection.execute(
                "INSERT INTO report_mails (subscription_id, period, period_start, recipient, mail_id, state,"
                " next_attempt_at, raw, created_at) VALUES (%s, %s, %s, %s, %s, 'waiting', %s, %s, %s)"
                " ON CONFLICT DO NOTHING",
                (
                    one.id, one.document.period, one.next_start, recipient, mail_id,
                    now, raw, now,
                ),
            )  # fmt: skip
    return True


async def postpone(pool: Pool, one: Due, *, until: datetime, problem: str | None) -> None:
    """The report cannot be made now: try again then."""
    async with pool.connection() as connection:
        await connection.execute(
            "UPDATE report_subscriptions SET next_due_at = %s, problem = %s"
            " WHERE id = %s AND version = %s AND next_start = %s",
            (until, problem, one.id, one.version, one.next_start),
        )


async def claim(
    pool: Pool, *, now: datetime, lease: timedelta, count_max: int = CLAIMED_MAX
) -> list[Mail]:
    """Take mails that are due. A claim whose time is over is taken again: whoever had it is gone."""
    async with pool.connection() as connection:
        found = await connection.execute(
            "UPDATE report_mails AS m SET state = 'claimed', attempts = attempts + 1, claim_id = %(claim)s,"
            " claimed_until = %(until)s FROM ("
            "  SELECT ctid FROM report_mails WHERE state IN ('waiting', 'claimed') AND next_attempt_at <= %(now)s"
            "  AND (state = 'waiting' OR claimed_until <= %(now)s)"
            "  ORDER BY next_attempt_at LIMIT %(count)s FOR UPDATE SKIP LOCKED"
            " ) AS taken WHERE m.ctid = taken.ctid"
            " RETURNING m.subscription_id, m.period, m.period_start, m.recipient, m.mail_id, m.attempts,"
            " m.created_at, m.claim_id, m.raw",
            {"claim": new_id(), "until": now + lease, "now": now, "count": count_max},
        )
        return [msgspec.convert(row, Mail) for row in await found.fetchall()]


async def keep(pool: Pool, mail: Mail, *, until: datetime) -> bool:
    """Claim it for longer, right before it goes; False: it is another's by now, or is no longer wanted."""
    return await _set(pool, mail, "claimed_until = %(until)s", {"until": until})


async def sent(pool: Pool, mail: Mail, *, now: datetime) -> bool:
    """The server has taken it; the bytes are no longer needed."""
    return await _set(
        pool,
        mail,
        "state = 'sent', finished_at = %(now)s, raw = NULL, last_error = NULL",
        {"now": now},
    )


async def again(pool: Pool, mail: Mail, *, at: datetime, error: str) -> bool:
    """Not this time."""
    return await _set(
        pool,
        mail,
        "state = 'waiting', next_attempt_at = %(at)s, last_error = %(error)s",
        {"at": at, "error": error[:_ERROR_CHARS_MAX]},
    )


async def dead(pool: Pool, mail: Mail, *, now: datetime, error: str) -> bool:
    """Never."""
    return await _set(
        pool,
        mail,
        "state = 'dead', finished_at = %(now)s, raw = NULL, last_error = %(error)s",
        {"now": now, "error": error[:_ERROR_CHARS_MAX]},
    )


async def _set(pool: Pool, mail: Mail, change: str, values: dict[str, Any]) -> bool:
    async with pool.connection() as connection:
        done = await connection.execute(
            f"UPDATE report_mails SET {change} WHERE mail_id = %(mail)s AND claim_id = %(claim)s AND state = 'claimed'".encode(),  # noqa: S608, E501 - our own words
            {**values, "mail": mail.mail_id, "claim": mail.claim_id},
        )
        return done.rowcount == 1
