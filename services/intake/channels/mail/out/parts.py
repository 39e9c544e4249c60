"""The parts of mail out, as the settings ask for them."""

from datetime import timedelta

from services.intake.app import Intake
from services.intake.attachments.store import AttachmentStore
from services.intake.channels.mail.mailboxes import Mailboxes, MailboxesAreWrong
from services.intake.channels.mail.out.outbox import MailOutbox, Pacing
from services.intake.channels.mail.out.sender import MailSender, Patience
from services.intake.domain import Ticket
from services.intake.settings import Settings
from shared.eventstore import EventStore
from shared.mail import CatchFolder, SmtpServer, Transport


def mail_outbox(mailboxes: Mailboxes, settings: Settings) -> MailOutbox | None:
    """Where mails wait; None: the settings name no way out.

    Raises:
        MailboxesAreWrong: there is a way out, and no mailbox that anybody could answer to.
    """
    if settings.mail_out_host is None and settings.mail_out_folder is None:
        return None
    pacing = Pacing(
        count_max=settings.mail_acknowledge_max,
        within=timedelta(seconds=settings.mail_acknowledge_seconds),
    )
    try:
        return MailOutbox(mailboxes, domain=settings.mail_out_domain, pacing=pacing)
    except ValueError as error:
        raise MailboxesAreWrong(str(error)) from None


def mail_sender(
    intake: Intake,
    store: EventStore[Ticket],
    contents: AttachmentStore,
    mailboxes: Mailboxes,
    settings: Settings,
) -> MailSender:
    """What sends them.

    Raises:
        MailboxesAreWrong: the settings name a server and a folder, or a login that would travel in the open.
    """
    patience = Patience(
        pause_seconds=settings.mail_out_pause_seconds,
        pause_seconds_max=settings.mail_out_pause_seconds_max,
        give_up_seconds=settings.mail_out_give_up_seconds,
        lease_seconds=settings.mail_out_lease_seconds,
        per_domain_max=settings.mail_out_per_domain_max,
        bytes_max=settings.mail_out_bytes_max,
    )
    return MailSender(
        intake,
        store,
        contents,
        mailboxes,
        _transport(settings),
        patience=patience,
        public_url=settings.public_url,
    )


def _transport(settings: Settings) -> Transport:
    if settings.mail_out_folder is not None:
        if settings.mail_out_host is not None:
            raise MailboxesAreWrong(
                "TICKETING_MAIL_OUT_HOST and TICKETING_MAIL_OUT_FOLDER: one of them, not both"
            )
        return CatchFolder(settings.mail_out_folder)
    assert settings.mail_out_host is not None, "one of the two"
    if (settings.mail_out_user is None) != (settings.mail_out_password_file is None):
        raise MailboxesAreWrong(
            "TICKETING_MAIL_OUT_USER and TICKETING_MAIL_OUT_PASSWORD_FILE: both or neither"
        )
    if settings.mail_out_user is not None and settings.mail_out_security == "none":
        raise MailboxesAreWrong("TICKETING_MAIL_OUT_SECURITY: a login needs tls or starttls")
    return SmtpServer(
        host=settings.mail_out_host,
        port=settings.mail_out_port,
        security=settings.mail_out_security,
        ca_file=settings.mail_out_ca_file,
        user=settings.mail_out_user,
        password_file=settings.mail_out_password_file,
        timeout_seconds=settings.mail_out_timeout_seconds,
    )
