"""Mail in by SMTP and LMTP: `250` means stored for good, `4xx` means bring it again."""

import asyncio
import ssl
from collections.abc import Callable
from typing import Any, Final

import psycopg
import structlog
from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope, Session

from services.intake.channels.mail.receiving import Arrival, MailIn
from shared.errors import NotYet
from shared.observability.correlation import new_correlation_id

log = structlog.get_logger(__name__)

RECIPIENTS_MAX: Final = 100
"""RFC 5321, 4.5.3.1.8: a server takes a hundred; we have fewer mailboxes that one mail goes to."""

CONNECTIONS_MAX: Final = 20
"""Each may hold a whole mail in memory; more wait outside, as mail servers do anyway."""

SILENCE_SECONDS_MAX: Final = 300.0
"""RFC 5321, 4.5.3.2.7: a server waits five minutes for the next command."""

_LINE_BYTES_MAX: Final = 8_388_608
"""Programs send whole files as one line of base64; the library keeps a line in memory until it ends."""

_IDENT: Final = "ticketing"
_AGAIN: Final = "451 4.3.0 Not stored now; bring it again later"


class MailServer:
    """A listener for one protocol, run as a task of the service.

    Args:
        mail: where mails go.
        protocol: `smtp` or `lmtp`.
        host, port: where to listen; port 0 takes a free one.
        bytes_max: the largest mail; said in the greeting, so most senders do not even begin.
        tls: offers STARTTLS with this certificate.
        hostname: what the greeting says; None: the machine's name.
    """

    def __init__(
        self,
        mail: MailIn,
        protocol: str,
        *,
        host: str,
        port: int,
        bytes_max: int,
        tls: ssl.SSLContext | None = None,
        hostname: str | None = None,
    ) -> None:
        self._make: Callable[[], asyncio.Protocol] = lambda: _PROTOCOLS[protocol](
            self._counter,
            _Handler(mail, one_answer_each=protocol == "lmtp"),
            data_size_limit=bytes_max,
            enable_SMTPUTF8=True,
            hostname=hostname,
            ident=_IDENT,
            tls_context=tls,
            timeout=SILENCE_SECONDS_MAX,
        )
        self._counter = _Counter()
        self._protocol = protocol
        self._host, self._port = host, port
        self.listening = asyncio.Event()
        self.port = port
        self.__name__ = protocol

    async def __call__(self) -> None:
        """Listen until cancelled. Raises OSError: the address is taken."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(self._make, self._host, self._port)
        self.port = server.sockets[0].getsockname()[1]
        log.info("mail_listening", protocol=self._protocol, host=self._host, port=self.port)
        self.listening.set()
        try:
            await loop.create_future()
        finally:
            server.close()
            self._counter.close_all()


class _Counter:
    """The connections that are open."""

    def __init__(self) -> None:
        self._open: set[asyncio.BaseTransport] = set()

    def takes(self, transport: asyncio.BaseTransport) -> bool:
        if len(self._open) >= CONNECTIONS_MAX:
            return False
        self._open.add(transport)
        return True

    def forget(self, transport: asyncio.BaseTransport) -> None:
        self._open.discard(transport)

    def close_all(self) -> None:
        for transport in [*self._open]:
            transport.close()


class _Counted:
    """Mixed into the library's protocols: refuses connections past the limit, and takes long lines.

    The library ends a mail at a line of 1,001 bytes, as RFC 5321 allows it to. Real programs send longer ones.
    """

    line_length_limit = _LINE_BYTES_MAX
    transport: Any

    def __init__(self, counter: _Counter, *args: Any, **kwargs: Any) -> None:
        self._counter = counter
        self._first: asyncio.BaseTransport | None = None
        self._line_bytes = 0
        super().__init__(*args, **kwargs)

    def connection_made(self, transport: Any) -> None:
        if self._first is None:  # after STARTTLS it is made once more
            if not self._counter.takes(transport):
                transport.write(b"421 4.3.2 Too many connections; come again later\r\n")
                transport.close()
                return
            self._first = transport
        super().connection_made(transport)  # type: ignore[misc]

    def data_received(self, data: bytes) -> None:
        # Past its limit the library goes on collecting a line that never ends; we end the connection.
        _, found, rest = data.rpartition(b"\r\n")
        self._line_bytes = len(rest) if found else self._line_bytes + len(data)
        if self._line_bytes > 2 * _LINE_BYTES_MAX:
            self.transport.abort()
            return
        super().data_received(data)  # type: ignore[misc]

    def connection_lost(self, error: Exception | None) -> None:
        if self._first is None:
            return
        self._counter.forget(self._first)
        super().connection_lost(error)  # type: ignore[misc]


class _Smtp(_Counted, SMTP):
    pass


class _Lmtp(_Counted, LMTP):
    pass


_PROTOCOLS: Final[dict[str, Any]] = {"smtp": _Smtp, "lmtp": _Lmtp}


class _Handler:
    """What the library asks; the names are its own."""

    def __init__(self, mail: MailIn, *, one_answer_each: bool) -> None:
        self._mail = mail
        self._one_answer_each = one_answer_each

    async def handle_RCPT(  # noqa: N802
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        rcpt_options: list[str],
    ) -> str:
        del server, session, rcpt_options
        if not self._mail.mailboxes.is_ours(address):
            return "550 5.1.1 No such mailbox here"
        if len(envelope.rcpt_tos) >= RECIPIENTS_MAX:
            return "452 4.5.3 Too many recipients"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        del server, session
        answer = await self._receive(envelope)
        if self._one_answer_each:  # RFC 2033, 4.2
            return "\r\n".join([answer] * max(1, len(envelope.rcpt_tos)))
        return answer

    async def _receive(self, envelope: Envelope) -> str:
        content = envelope.original_content or b""
        # The last server writes down who is told of failures (RFC 5321, 4.4); nobody at all: a robot wrote it.
        sender = (envelope.mail_from or "").strip("<>").encode("utf-8", "surrogateescape")
        raw = b"Return-Path: <" + sender + b">\r\n" + content
        arrival = Arrival(correlation_id=new_correlation_id(), recipients=tuple(envelope.rcpt_tos))
        try:
            outcome = await self._mail.receive(raw, arrival)
        except (psycopg.Error, NotYet) as error:
            log.warning("mail_not_stored", error=type(error).__name__)
            return _AGAIN
        except Exception:
            # Ours to mend: the sender keeps it and comes again, for days.
            log.exception("mail_failed")
            return _AGAIN
        return f"250 2.0.0 {outcome.result.done}"
