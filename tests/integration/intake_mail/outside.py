"""The world outside: a real SMTP server that behaves as told, and what a customer's mail program does."""

import contextlib
import gc
import ssl
import warnings
from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from services.intake.app import Intake
from services.intake.attachments.store import FolderStore
from services.intake.channels.mail.mailboxes import Mailboxes
from services.intake.channels.mail.out.parts import mail_sender
from services.intake.channels.mail.out.sender import MailSender
from services.intake.settings import Settings
from tests.integration.intake.desk import Desk
from tests.support.events import NOON


class _Server(Controller):
    """On a port that the kernel chooses; the library asks port 0 whether it is up."""

    def _trigger_server(self) -> None:
        assert self.server is not None
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


class Outside:
    """A mail server: keeps what it takes, and answers as `rcpt` and `data` say.

    Attributes:
        taken: sender, recipients and bytes of each mail that it said `250` to.
        rcpt: address → answer; `data`: answers to the next mails, then `250`.
        on_data: is called with each mail before it is answered.
        port: where it listens, while it serves a whole module.
    """

    def __init__(self) -> None:
        self.port = 0
        self.taken: list[tuple[str, list[str], bytes]] = []
        self.rcpt: dict[str, str] = {}
        self.data: list[str] = []
        self.on_data: Callable[[bytes], None] = lambda _raw: None
        self.logins: list[tuple[str, str]] = []

    async def handle_RCPT(  # noqa: N802  # the library's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = self.rcpt.get(address.lower(), "250 OK")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(  # noqa: N802  # the library's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        raw = envelope.original_content
        assert isinstance(raw, bytes)
        self.on_data(raw)
        answer = self.data.pop(0) if self.data else "250 OK"
        if answer.startswith("250"):
            self.taken.append((envelope.mail_from or "", list(envelope.rcpt_tos), raw))
        return answer

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        said = data.login.decode(), data.password.decode()
        self.logins.append(said)
        return AuthResult(success=said == ("desk", "sesame"), handled=False)

    def mails(self, to: str) -> list[EmailMessage]:
        return [parsed(raw) for _, recipients, raw in self.taken if to in recipients]

    @contextlib.contextmanager
    def serving(self, tls: ssl.SSLContext | None = None, *, logs_in: bool = False):
        controller = _Server(
            self,
            hostname="127.0.0.1",
            port=0,
            tls_context=tls,
            require_starttls=tls is not None,
            auth_required=logs_in,
            authenticator=self.authenticate if logs_in else None,
        )
        controller.start()
        try:
            yield controller.port
        finally:
            gc.collect()  # what our own client has left open is an error
            controller.stop()
            with warnings.catch_warnings():
                # The server forgets connections whose handshake the client has broken off.
                warnings.simplefilter("ignore", ResourceWarning)
                gc.collect()


def parsed(raw: bytes) -> EmailMessage:
    mail = message_from_bytes(raw, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    return mail


def a_sender(desk: Desk, port: int, folder: Path, mailboxes_file: Path, **more: Any) -> MailSender:
    """The sender of a process, as its settings make it."""
    from shared.service import Service

    service: Service = desk.service
    settings = Settings(
        **{
            "database_url": "postgresql://unused",
            "kafka_bootstrap_servers": "127.0.0.1:1",
            "jwks_file": Path("unused"),
            "mailboxes_file": mailboxes_file,
            "mail_out_host": "127.0.0.1",
            "mail_out_port": port,
            "mail_out_security": "none",
            "mail_out_timeout_seconds": 10.0,
            "mail_out_pause_seconds": 0.01,
            "mail_out_pause_seconds_max": 0.02,
            **more,
        }
    )
    store: Any = desk.store
    intake = Intake(store, service._committers[0])  # type: ignore[arg-type]
    mailboxes = Mailboxes.read(mailboxes_file)
    return mail_sender(intake, store, FolderStore(folder), mailboxes, settings)


def an_answer(mail: EmailMessage, text: str) -> EmailMessage:
    """What the customer's mail program makes of “reply”: RFC 5322, 3.6.4, and the quote below."""
    answer = EmailMessage()
    answer["From"] = mail["To"]
    answer["To"] = mail["Reply-To"] or mail["From"]
    answer["Subject"] = mail["Subject"]
    answer["Date"] = format_datetime(NOON)
    answer["Message-ID"] = f"<{uuid4().hex}@customer.example>"
    answer["In-Reply-To"] = mail["Message-ID"]
    answer["References"] = f"{mail['References'] or ''} {mail['Message-ID']}".strip()
    body = mail.get_body(("plain",))
    assert body is not None
    quote = "\n".join(f"> {line}" for line in body.get_content().splitlines())
    answer.set_content(
        f"{text}\n\nOn Mon, 2 Mar 2026 at 13:00, Desk <help@desk.example> wrote:\n{quote}\n"
    )
    return answer


async def drained(sender: MailSender) -> None:
    """Until nothing more is due now."""
    is_busy = True
    while is_busy:
        is_busy = await sender.send_due() == 0.0
