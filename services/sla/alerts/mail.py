"""E-mail: a message per notice, threaded so that what follows answers the beginning."""

import asyncio
import socket
import ssl
from collections.abc import Sequence
from datetime import timedelta
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from typing import Final, Literal
from uuid import UUID

import aiosmtplib
import structlog

from services.sla.alerts import wording
from services.sla.alerts.addresses import checked
from services.sla.alerts.kind import Parts, SinkDocument
from services.sla.alerts.notice import Action, AlertNotice, Notice, SummaryEndNotice, SummaryNotice
from services.sla.alerts.sink import NotDelivered, Rejected, Sent
from shared.clock import Clock, SystemClock

log = structlog.get_logger(__name__)

RECIPIENTS_MAX: Final = 50
"""A rota's list is a handful; more is a mailing list's work."""

_PERMANENT: Final = range(500, 600)
_OUR_FAULT: Final = frozenset({530, 534, 535, 538})
"""Authentication: somebody mends the sink, the message is fine."""


class Email(SinkDocument, frozen=True, kw_only=True, tag="email"):
    """`password`: reference; `sender` and `recipients`: plain addresses; `security`: how the channel is encrypted.

    With `to_called` the recipients (there may be none) are in copy of what goes to those who are called.
    """

    host: str
    sender: str
    recipients: tuple[str, ...] = ()
    port: int | None = None
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str | None = None
    password: str | None = None

    def __post_init__(self) -> None:
        """Refuse addresses that are none, and passwords that would travel in the open."""
        if not (0 if self.to_called else 1) <= len(self.recipients) <= RECIPIENTS_MAX:
            raise ValueError(f"recipients: 1 to {RECIPIENTS_MAX} addresses")
        for address in (self.sender, *self.recipients):
            if parseaddr(address)[1] != address or address.count("@") != 1:
                raise ValueError("sender and recipients: plain addresses like oncall@example.com")
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password: both or neither")
        if self.username is not None and self.security == "none":
            raise ValueError("security: a password needs tls or starttls")

    @property
    def may_reach_persons(self) -> bool:
        """By their addresses."""
        return True

    def build(self, name: str, parts: Parts) -> "EmailSink":
        """The sink.

        Raises:
            ValueError: the password is missing.
        """
        password = parts.secrets.read(self.password) if self.password is not None else None
        return EmailSink(name, self, password, parts)


class EmailSink:
    """Sends over a connection of its own each time: alerts are rare, and an old connection is a dead one."""

    actions = frozenset(Action)
    batch_max = 1
    is_capped = True
    is_stateful = False
    refresh_every: timedelta | None = None

    def __init__(
        self,
        name: str,
        document: Email,
        password: str | None,
        parts: Parts,
        *,
        clock: Clock | None = None,
    ) -> None:
        self.name = name
        self._document = document
        self._password = password
        self._parts = parts
        self._clock = clock or SystemClock()
        self._tls = ssl.create_default_context()

    async def send(self, notices: Sequence[Notice]) -> Sent:
        """Hand the one notice to the mail server."""
        (notice,) = notices
        message = self._message(notice)
        try:
            async with asyncio.timeout(self._parts.timeout_seconds):
                await self._submit(message)
        except TimeoutError:
            raise NotDelivered("no answer in time") from None
        except aiosmtplib.SMTPRecipientsRefused as error:
            codes = {each.code for each in error.recipients}
            raise _failure(min(codes), "every recipient was refused") from None
        except aiosmtplib.SMTPResponseException as error:
            raise _failure(error.code, "refused") from None
        except (aiosmtplib.SMTPException, ssl.SSLError, OSError) as error:
            raise NotDelivered(f"no answer ({type(error).__name__})") from None
        return Sent()

    async def close(self) -> None:
        """Nothing is kept open."""

    async def _submit(self, message: EmailMessage) -> None:
        document = self._document
        port = document.port or {"starttls": 587, "tls": 465, "none": 25}[document.security]
        connection = await _connect(
            document.host, port, private_allowed=self._parts.private_addresses_allowed
        )
        client = aiosmtplib.SMTP(
            hostname=document.host,  # TLS is verified against the name, whatever address we reached
            sock=connection,
            port=None,
            use_tls=document.security == "tls",
            start_tls=document.security == "starttls",
            tls_context=self._tls,
            timeout=self._parts.timeout_seconds,
        )
        async with client:
            if document.username is not None:
                await client.login(document.username, self._password or "")
            refused, _ = await client.send_message(message)
        if refused:
            # Addresses are people: only their number is said.
            log.warning("alert_recipients_refused", sink=self.name, count=len(refused))

    def _message(self, notice: Notice) -> EmailMessage:
        message = EmailMessage()
        message["From"] = self._document.sender
        message["To"] = ", ".join(self._recipients(notice))
        message["Date"] = format_datetime(self._clock.now())
        message["Message-ID"] = self._message_id(notice.delivery_id)
        message["Subject"] = _subject(notice)
        if answered := _answered(notice):
            message["In-Reply-To"] = message["References"] = self._message_id(answered)
        # No robot answers a robot (RFC 3834).
        message["Auto-Submitted"] = "auto-generated"
        message["X-Auto-Response-Suppress"] = "All"
        if wording.severity(notice) == "critical":
            message["Importance"] = "high"
        message.set_content("\n".join(self._lines(notice)))
        return message

    def _recipients(self, notice: Notice) -> list[str]:
        """Those of the document, and those who are called.

        Raises:
            Rejected: nobody who is called has an address.
        """
        if not self._document.to_called or isinstance(notice, SummaryEndNotice):
            return list(self._document.recipients)
        called = [each.email for each in notice.called if each.email is not None]
        if not called:
            raise Rejected("nobody who is called has an e-mail address (/v1/oncall/contacts)")
        return list(dict.fromkeys([*called, *self._document.recipients]))

    def _lines(self, notice: Notice) -> list[str]:
        lines = [wording.title(notice), ""]
        lines += [f"{name}: {value}" for name, value in wording.facts(notice)]
        if isinstance(notice, SummaryNotice):
            lines += ["", *wording.listed(notice)]
        if where := wording.link(notice, self._parts.public_url):
            lines += ["", where]
        return lines

    def _message_id(self, delivery_id: UUID) -> str:
        return f"<sla-{delivery_id}@{self._document.sender.partition('@')[2]}>"


def _subject(notice: Notice) -> str:
    if isinstance(notice, AlertNotice) and notice.opening is not None:
        # The subject of the beginning: many readers thread by it as well.
        return f"Re: {notice.alert.headline}"
    return wording.title(notice)


def _answered(notice: Notice) -> UUID | None:
    match notice:
        case AlertNotice(opening=opening):
            return None if opening is None else opening.summary_id or opening.delivery_id
        case SummaryEndNotice():
            return notice.summary_id
        case SummaryNotice():
            return None


def _failure(code: int, what: str) -> NotDelivered:
    final = code in _PERMANENT and code not in _OUR_FAULT
    # The server's words may repeat addresses: the code only.
    return (Rejected if final else NotDelivered)(f"the mail server answered {code}: {what}")


async def _connect(host: str, port: int, *, private_allowed: bool) -> socket.socket:
    loop = asyncio.get_running_loop()
    addresses = await checked(host, port, private_allowed=private_allowed)
    for place, address in enumerate(addresses, start=1):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        connection = socket.socket(family, socket.SOCK_STREAM)
        connection.setblocking(False)
        try:
            await loop.sock_connect(connection, (address, port))
        except OSError:
            connection.close()
            if place == len(addresses):
                raise
        except BaseException:
            connection.close()
            raise
        else:
            return connection
    raise NotDelivered("the receiver's name has no address")
