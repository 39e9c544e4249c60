"""Makes the reports that are due and hands them to the mail server; any number of processes do it together."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

import psycopg
import structlog

from services.query.api.reports_by_name import (
    FORECAST,
    NamedReportQuery,
    asked_report,
    has_zone,
)
from services.query.mailing import outbox
from services.query.mailing.letters import Report, compose
from services.query.mailing.outbox import Due, Mail
from services.query.parts import Parts
from services.query.subscriptions import Subscription, retired, tokens_of
from services.query.web.directory import Directory
from shared.calendar.zones import zone_of
from shared.errors import Refused
from shared.events import Channel
from shared.mail import Connection, Parcel, ServerIsAway, SmtpServer, Transport
from shared.observability import metrics

log = structlog.get_logger(__name__)

CATCH_UP_MAX: Final = 7
"""Periods told late after an outage, the newest; nobody reads a month of yesterdays."""

LEASE: Final = timedelta(minutes=5)
MAIL_SECONDS_MAX: Final = 120.0
"""For handing over one mail: well within the lease, so nobody else begins with it."""

FRESH_PATIENCE: Final = timedelta(hours=6)
"""So long a report waits until everything of its period has been applied; then it goes and says what is missing."""

_LOOK_AGAIN: Final = timedelta(minutes=1)
_MEND: Final = timedelta(minutes=10)
_PAUSE_SECONDS_FIRST: Final = 30.0
_PAUSE_SECONDS_MAX: Final = 3_600.0
_GIVE_UP: Final = timedelta(days=2)
_AS_OF_NOW: Final = frozenset({"backlog", FORECAST})
"""What is open, and what comes, are figures of the moment: a period would leave out whatever is older."""


class ReportMailer:
    """Tells every period once.

    Args:
        parts: of this service.
        server: that takes the mails.
        sender: our address.
        public_url: where people reach us.
        seconds: between two looks.
        now: the time.
    """

    def __init__(
        self,
        parts: Parts,
        *,
        server: Transport,
        sender: str,
        public_url: str,
        seconds: float,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._parts = parts
        self._server = server
        self._sender = sender
        self._url = public_url.rstrip("/")
        self._seconds = seconds
        self._now = now
        self._directory = Directory()

    async def run(self) -> None:
        """Until it is cancelled; what fails is said, and tried again."""
        while True:
            try:
                await self.turn()
            except psycopg.Error as error:
                log.warning("report_mail_waits", error=type(error).__name__)
            except ServerIsAway as error:
                log.warning("report_mail_waits", error=str(error))
            await asyncio.sleep(self._seconds)

    async def turn(self) -> int:
        """Make what is due and send what waits; returns how many mails the server has taken.

        Raises:
            ServerIsAway: there is no way to it now; what was claimed waits again.
        """
        pool = await self._parts.pool()
        for one in await outbox.due(pool, now=self._now()):
            await self._make(one)
        taken = 0
        while mails := await outbox.claim(pool, now=self._now(), lease=LEASE):
            taken += await self._send(mails)
        return taken

    async def _make(self, one: Due) -> None:
        pool, now = await self._parts.pool(), self._now()
        begin, end = one.document.bounds(one.next_start)
        if self._is_too_old(one.document, one.next_start, now):
            log.warning(
                "report_period_skipped", subscription=one.id, period=one.next_start.isoformat()
            )
            await outbox.put(pool, one, {}, now=now)
            return
        is_orphaned, gone = await retired(pool, one.changed_by, one.document.recipients)
        if is_orphaned:
            problem = f"{one.changed_by}, who asked for it last, is no longer in use: put it again to go on"
            await outbox.postpone(pool, one, until=now + _MEND, problem=problem)
            return
        as_of = self._parts.lag.freshness.as_of
        is_whole = as_of is not None and as_of >= end
        if not is_whole and now < one.document.due_at(one.next_start) + FRESH_PATIENCE:
            await outbox.postpone(
                pool,
                one,
                until=now + _LOOK_AGAIN,
                problem="events of the period are not applied yet",
            )
            return
        try:
            report = await self._report(one, begin, end, as_of if is_whole else None, now)
        except (Refused, psycopg.Error) as error:
            problem = error.detail if isinstance(error, Refused) else type(error).__name__
            log.error("report_cannot_be_made", subscription=one.id, problem=problem)  # noqa: TRY400 - its reason says it
            await outbox.postpone(pool, one, until=now + _MEND, problem=problem)
            return
        domain = self._sender.rpartition("@")[2]
        mails = {}
        addresses = [address for address in one.document.recipients if address not in gone]
        for address, token in (await tokens_of(pool, one.id, addresses)).items():
            mail_id = outbox.mail_id_of(one, address, domain)
            link = f"{self._url}/reports/unsubscribe?{urlencode({'token': token})}"
            raw = compose(
                report,
                sender=self._sender,
                recipient=address,
                mail_id=mail_id,
                unsubscribe=link,
                at=now,
            )
            mails[address] = (mail_id, raw)
        await outbox.put(pool, one, mails, now=now)

    def _is_too_old(self, told: Subscription, start: Any, now: datetime) -> bool:
        for _ in range(CATCH_UP_MAX):
            start = told.after(start)
            if told.due_at(start) > now:
                return False
        return True

    async def _report(
        self, one: Due, begin: datetime, end: datetime, as_of: datetime | None, now: datetime
    ) -> Report:
        told = one.document
        period = {} if told.report in _AS_OF_NOW else {"opened_from": begin, "opened_before": end}
        query = NamedReportQuery(
            by=told.by,
            group=told.group,
            channel=Channel(told.channel) if told.channel else None,
            time_zone=told.time_zone if has_zone(told.report, told.by) else None,
            **period,
        )
        content = await asked_report(self._parts, told.report, query)
        names = await self._directory.names(await self._parts.pool())
        by = content["by"]
        said = {key: getattr(told, key) for key in ("by", "group", "channel") if getattr(told, key)}
        said |= {key: moment.isoformat() for key, moment in period.items()}
        said |= {"time_zone": query.time_zone} if query.time_zone else {}
        if as_of is None:
            note = "Not everything that happened in this period had reached these figures when they were made."
        else:
            note = f"Everything of the period is in these figures; made {now:%Y-%m-%d %H:%M} UTC."
        filters = [f"group {names.group(told.group)}"] if told.group else []
        filters += [f"channel {told.channel}"] if told.channel else []
        return Report(
            subscription=told,
            content=content,
            labels=tuple(names.row(by, row[by]) for row in content["rows"]),
            period=_words(told, one, end, is_now=not period),
            notes=(
                note,
                *([f"Days and hours are those of {query.time_zone}."] if query.time_zone else []),
                *([f"Only: {', '.join(filters)}."] if filters else []),
            ),
            link=f"{self._url}/reports/{told.report}" + (f"?{urlencode(said)}" if said else ""),
        )

    async def _send(self, mails: list[Mail]) -> int:
        pool, taken, left = await self._parts.pool(), 0, list(mails)
        try:
            async with self._server.connect() as connection:
                while left:
                    if await outbox.keep(pool, left[0], until=self._now() + LEASE):
                        taken += await self._hand_over(connection, left[0])
                    left.pop(0)
        except ServerIsAway as error:
            for mail in left:
                await self._later(mail, str(error))
            raise
        return taken

    async def _hand_over(self, connection: Connection, mail: Mail) -> bool:
        pool = await self._parts.pool()
        parcel = Parcel(sender=self._sender, recipients=(mail.recipient,), raw=mail.raw)
        try:
            async with asyncio.timeout(MAIL_SECONDS_MAX):
                handed = await connection.hand_over(mail.mail_id, parcel)
        except TimeoutError:
            raise ServerIsAway("no answer in time") from None
        if handed.reached:
            await outbox.sent(pool, mail, now=self._now())
            metrics.QUERY_REPORT_MAILS.labels("sent").inc()
            return True
        if handed.refused:
            reason = handed.refused[0]
            # The server's words may repeat the address: they are shown to supervisors, and not logged.
            log.warning("report_mail_refused", subscription=mail.subscription_id, code=reason.code)
            await outbox.dead(pool, mail, now=self._now(), error=reason.reason)
            metrics.QUERY_REPORT_MAILS.labels("dead").inc()
            return False
        await self._later(mail, handed.later[0].reason)
        return False

    async def _later(self, mail: Mail, error: str) -> None:
        pool, now = await self._parts.pool(), self._now()
        if now - mail.created_at > _GIVE_UP:
            log.error("report_mail_given_up", subscription=mail.subscription_id)
            await outbox.dead(pool, mail, now=now, error=error)
            metrics.QUERY_REPORT_MAILS.labels("dead").inc()
            return
        pause = min(_PAUSE_SECONDS_FIRST * 2 ** (mail.attempts - 1), _PAUSE_SECONDS_MAX)
        await outbox.again(pool, mail, at=now + timedelta(seconds=pause), error=error)
        metrics.QUERY_REPORT_MAILS.labels("retried").inc()


def report_mailer(parts: Parts) -> ReportMailer | None:
    """As the settings ask for it; None: they name no way out.

    Raises:
        ValueError: half a login, or one that would travel in the open.
    """
    settings = parts.settings
    if (settings.report_mail_user is None) != (settings.report_mail_password_file is None):
        raise ValueError(
            "TICKETING_REPORT_MAIL_USER and TICKETING_REPORT_MAIL_PASSWORD_FILE: both or neither"
        )
    if settings.report_mail_user is not None and settings.report_mail_security == "none":
        raise ValueError("TICKETING_REPORT_MAIL_SECURITY: a login needs tls or starttls")
    host, sender, url = settings.report_mail_host, settings.report_mail_sender, settings.public_url
    if not (host and sender and url):
        return None
    server = SmtpServer(
        host=host,
        port=settings.report_mail_port,
        security=settings.report_mail_security,
        ca_file=settings.report_mail_ca_file,
        user=settings.report_mail_user,
        password_file=settings.report_mail_password_file,
    )
    return ReportMailer(
        parts, server=server, sender=sender, public_url=url, seconds=settings.report_mail_seconds
    )


def _words(told: Subscription, one: Due, end: datetime, *, is_now: bool) -> str:
    if is_now:
        local = end.astimezone(zone_of(told.time_zone))
        return f"as of {local:%Y-%m-%d}"
    match told.period:
        case "day":
            return f"{one.next_start:%Y-%m-%d} ({told.time_zone})"
        case "week":
            return f"week {one.next_start:%G-W%V} from {one.next_start:%Y-%m-%d} ({told.time_zone})"
        case "month":
            return f"{one.next_start:%B %Y} ({told.time_zone})"
