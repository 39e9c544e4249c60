"""Reports by mail, as they are kept: the subscriptions, their periods, who has unsubscribed."""

import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final, Literal

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from services.query.own_log import SubscriptionChanged, append
from services.query.views.pools import Pool
from shared.calendar.zones import zone_of
from shared.errors import NotFound, Refused

Period = Literal["day", "week", "month"]

SUBSCRIPTIONS_MAX: Final = 500
"""Each costs a report a period; more is a job for the export."""


class TooManySubscriptions(Refused):
    """There are as many as one installation may have."""


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """Who gets which report when.

    Attributes:
        report: of the catalogue, or `forecast`.
        period: each of them is told once, when it is over.
        time_zone: IANA name; days begin there.
        at: local time of the day after the period from which on it is sent.
        recipients: addresses, in lower case.
        format: `html`: the figures stand in the mail; `csv`: they are attached.
        title: of the mail; None: the report's.
    """

    report: str
    period: Period
    time_zone: str
    at: time
    recipients: tuple[str, ...]
    format: Literal["html", "csv"] = "html"
    by: str | None = None
    group: str | None = None
    channel: str | None = None
    title: str | None = None

    def start_of(self, moment: datetime) -> date:
        """First day of the period in which a moment lies."""
        day = moment.astimezone(zone_of(self.time_zone)).date()
        match self.period:
            case "day":
                return day
            case "week":
                return day - timedelta(days=day.weekday())
            case "month":
                return day.replace(day=1)

    def after(self, start: date) -> date:
        """First day of the following period."""
        match self.period:
            case "day":
                return start + timedelta(days=1)
            case "week":
                return start + timedelta(weeks=1)
            case "month":
                return (start.replace(day=1) + timedelta(days=32)).replace(day=1)

    def bounds(self, start: date) -> tuple[datetime, datetime]:
        """Begin and end (UTC) of the period; the end belongs to the next."""
        return self._local(start, time()), self._local(self.after(start), time())

    def due_at(self, start: date) -> datetime:
        """From when on the period may be told."""
        return self._local(self.after(start), self.at)

    def _local(self, day: date, at: time) -> datetime:
        return datetime.combine(day, at, zone_of(self.time_zone)).astimezone(UTC)


async def put(
    pool: Pool, id_: str, wanted: Subscription, *, by: dict[str, Any]
) -> tuple[dict[str, Any], bool]:
    """Keep a subscription; the first period told is the one that runs now. Returns it, and whether it is new.

    The same again by the same person changes nothing; by another, that person answers for it from then on. `by` is who
    asks (`own_log.stamp`), which the audit keeps.
    Mails to those who are no longer named, if they have not gone yet, do not go.

    Raises:
        TooManySubscriptions: it would be one too many.
    """
    document = msgspec.json.decode(msgspec.json.encode(wanted))  # as the column gives it back
    now = by["recorded_at"]
    async with pool.connection() as connection, connection.transaction():
        # Two that are written at once must not both be the last one allowed.
        await connection.execute("SELECT pg_advisory_xact_lock(hashtext('report_subscriptions'))")
        old = await _row(connection, id_)
        if old is None:
            counted = await connection.execute("SELECT count(*) AS n FROM report_subscriptions")
            row = await counted.fetchone()
            if row is not None and row["n"] >= SUBSCRIPTIONS_MAX:
                raise TooManySubscriptions(f"There are {SUBSCRIPTIONS_MAX}; delete one first.")
        if old is None or (old["document"], old["changed_by"]) != (document, by["actor"].id):
            start = _next_start(old, wanted, now)
            await connection.execute(
                "INSERT INTO report_subscriptions AS s (id, version, document, created_by, created_at,"
                " changed_by, changed_at, next_start, next_due_at)"
                " VALUES (%(id)s, 1, %(document)s, %(by)s, %(now)s, %(by)s, %(now)s, %(start)s, %(due)s)"
                " ON CONFLICT (id) DO UPDATE SET version = s.version + 1, document = EXCLUDED.document,"
                " changed_by = EXCLUDED.changed_by, changed_at = EXCLUDED.changed_at,"
                " next_start = EXCLUDED.next_start, next_due_at = EXCLUDED.next_due_at, problem = NULL",
                {
                    "id": id_,
                    "document": Jsonb(document),
                    "by": by["actor"].id,
                    "now": now,
                    "start": start,
                    "due": wanted.due_at(start),
                },
            )
            await connection.execute(
                "DELETE FROM report_mails WHERE subscription_id = %s AND state = 'waiting'"
                " AND recipient <> ALL(%s)",
                (id_, list(wanted.recipients)),
            )
            for address in wanted.recipients:
                await connection.execute(
                    "INSERT INTO report_recipients (subscription_id, address, token) VALUES (%s, %s, %s)"
                    " ON CONFLICT DO NOTHING",
                    (id_, address, secrets.token_urlsafe(32)),
                )
            before = old["document"] | {"by_whom": old["changed_by"]} if old else {}
            after = document | {"by_whom": by["actor"].id}
            await append(connection, _changed(id_, before, after, by))
    (found,) = await listed(pool, id_)
    return found, old is None


def _changed(
    id_: str, old: dict[str, Any], new: dict[str, Any], by: dict[str, Any]
) -> SubscriptionChanged:
    names = sorted(old.keys() | new.keys())
    both = {name: (old.get(name), new.get(name)) for name in names}
    changes = {name: change for name, change in both.items() if change[0] != change[1]}
    return SubscriptionChanged(subscription_id=id_, changes=changes, **by)


def _next_start(old: DictRow | None, wanted: Subscription, now: datetime) -> date:
    """A period that was told is not told again because a recipient was added."""
    if old is not None:
        before = msgspec.convert(old["document"], Subscription)
        if (before.period, before.time_zone) == (wanted.period, wanted.time_zone):
            start: date = old["next_start"]
            return start
    return wanted.start_of(now)


async def remove(pool: Pool, id_: str, *, by: dict[str, Any]) -> None:
    """End a subscription; mails that have not gone yet do not go.

    Raises:
        NotFound: there is none.
    """
    async with pool.connection() as connection, connection.transaction():
        gone = await connection.execute(
            "DELETE FROM report_subscriptions WHERE id = %s RETURNING document", (id_,)
        )
        old = await gone.fetchone()
        if old is None:
            raise NotFound(f"There is no subscription {id_!r}.", field="path subscription_id")
        await connection.execute(
            "DELETE FROM report_mails WHERE subscription_id = %s AND state = 'waiting'", (id_,)
        )
        await append(connection, _changed(id_, old["document"], {}, by))


async def listed(pool: Pool, id_: str | None = None) -> list[dict[str, Any]]:
    """Subscriptions by id, with who has unsubscribed and what became of the mails; one of them if `id_` is given.

    Raises:
        NotFound: there is no such one.
    """
    async with pool.connection() as connection:
        rows = await (
            await connection.execute(
                "SELECT s.*, r.unsubscribed, m.last_sent_at, m.waiting_count, m.dead_count, m.last_error"
                " FROM report_subscriptions AS s"
                " LEFT JOIN LATERAL (SELECT coalesce(array_agg(address ORDER BY address), '{}') AS unsubscribed"
                "   FROM report_recipients WHERE subscription_id = s.id AND unsubscribed_at IS NOT NULL) AS r ON true"
                " LEFT JOIN LATERAL (SELECT max(finished_at) FILTER (WHERE state = 'sent') AS last_sent_at,"
                "   count(*) FILTER (WHERE state IN ('waiting', 'claimed')) AS waiting_count,"
                "   count(*) FILTER (WHERE state = 'dead') AS dead_count,"
                "   (array_agg(last_error ORDER BY created_at DESC) FILTER (WHERE state <> 'sent'))[1] AS last_error"
                "   FROM report_mails WHERE subscription_id = s.id) AS m ON true"
                " WHERE %(id)s::text IS NULL OR s.id = %(id)s ORDER BY s.id",
                {"id": id_},
            )
        ).fetchall()
    if id_ is not None and not rows:
        raise NotFound(f"There is no subscription {id_!r}.", field="path subscription_id")
    return [
        {
            "id": row["id"],
            **row["document"],
            **{name: value for name, value in row.items() if name not in {"id", "document"}},
        }
        for row in rows
    ]


async def addressee(pool: Pool, token: str) -> dict[str, Any]:
    """Whom an unsubscribe link is for.

    Raises:
        NotFound: nobody has this link.
    """
    async with pool.connection() as connection:
        found = await connection.execute(
            "SELECT r.subscription_id, r.address, r.unsubscribed_at, s.document ->> 'title' AS title,"
            " s.document ->> 'report' AS report FROM report_recipients AS r"
            " LEFT JOIN report_subscriptions AS s ON s.id = r.subscription_id WHERE r.token = %s",
            (token,),
        )
        row = await found.fetchone()
    if row is None:
        raise NotFound("This link is not one of ours.", field="query token")
    return row


async def unsubscribe(
    pool: Pool, token: str, *, now: datetime, by: Callable[[str], dict[str, Any]]
) -> dict[str, Any]:
    """No further mail of this subscription to this address. Doing it twice is no error, and told once.

    `by`: for an address, who asks, which the audit keeps.

    Raises:
        NotFound: nobody has this link.
    """
    found = await addressee(pool, token)
    async with pool.connection() as connection, connection.transaction():
        ended = await connection.execute(
            "UPDATE report_recipients SET unsubscribed_at = %s WHERE token = %s AND unsubscribed_at IS NULL",
            (now, token),
        )
        if ended.rowcount:
            changes = {"recipient": (found["address"], None)}
            record = SubscriptionChanged(
                subscription_id=found["subscription_id"], changes=changes, **by(found["address"])
            )
            await append(connection, record)
        await connection.execute(
            "DELETE FROM report_mails WHERE subscription_id = %s AND recipient = %s AND state = 'waiting'",
            (found["subscription_id"], found["address"]),
        )
    return found


async def retired(pool: Pool, who: str, addresses: Sequence[str]) -> tuple[bool, frozenset[str]]:
    """Whether `who` is an agent no longer in use, and which of the addresses are such agents' only."""
    async with pool.connection() as connection:
        found = await connection.execute(
            "SELECT agent_id, lower(email) AS address, is_active FROM agents"
            " WHERE agent_id = %s OR lower(email) = ANY(%s)",
            (who, list(addresses)),
        )
        rows = await found.fetchall()
    gone = [row for row in rows if not row["is_active"]]
    theirs = {row["address"] for row in gone} - {row["address"] for row in rows if row["is_active"]}
    return any(row["agent_id"] == who for row in gone), frozenset(theirs) & frozenset(addresses)


async def _row(connection: AsyncConnection[DictRow], id_: str) -> DictRow | None:
    found = await connection.execute(
        "SELECT * FROM report_subscriptions WHERE id = %s FOR UPDATE", (id_,)
    )
    return await found.fetchone()


async def tokens_of(pool: Pool, id_: str, recipients: Sequence[str]) -> dict[str, str]:
    """Address → its link's token, of those who have not unsubscribed."""
    async with pool.connection() as connection:
        found = await connection.execute(
            "SELECT address, token FROM report_recipients"
            " WHERE subscription_id = %s AND address = ANY(%s) AND unsubscribed_at IS NULL",
            (id_, list(recipients)),
        )
        return {row["address"]: row["token"] for row in await found.fetchall()}
