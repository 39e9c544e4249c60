"""The tasks that bring mail in, as the settings switch them on."""

import ssl
from collections.abc import Awaitable, Callable

from services.intake.channels.mail.imap import ImapPoll
from services.intake.channels.mail.mailboxes import MailboxesAreWrong
from services.intake.channels.mail.receiving import MailIn
from services.intake.channels.mail.smtp import MailServer
from services.intake.domain import Ticket
from services.intake.settings import Settings
from shared.eventstore import EventStore


def mail_listeners(
    mail: MailIn, store: EventStore[Ticket], settings: Settings
) -> list[Callable[[], Awaitable[None]]]:
    """SMTP, LMTP and one poll for each mailbox with an account.

    Raises:
        MailboxesAreWrong: a listener is switched on, and there is no mailbox that it could take mail for.
    """
    tasks: list[Callable[[], Awaitable[None]]] = []
    listening = {"smtp": settings.mail_smtp_listen, "lmtp": settings.mail_lmtp_listen}
    for protocol, address in listening.items():
        if address is None:
            continue
        if not mail.mailboxes.all:
            raise MailboxesAreWrong(
                "a mail listener needs TICKETING_MAILBOXES_FILE: without mailboxes every recipient is unknown"
            )
        host, _, port = address.rpartition(":")
        tasks.append(
            MailServer(
                mail,
                protocol,
                host=host.strip("[]"),
                port=int(port),
                bytes_max=settings.mail_bytes_max,
                tls=_certificate(settings),
                hostname=settings.mail_hostname,
            )
        )
    tasks += [
        ImapPoll(mail, store, box, bytes_max=settings.mail_bytes_max)
        for box in mail.mailboxes.all
        if box.imap is not None
    ]
    return tasks


def _certificate(settings: Settings) -> ssl.SSLContext | None:
    if settings.mail_certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(settings.mail_certificate, settings.mail_key)
    return context
