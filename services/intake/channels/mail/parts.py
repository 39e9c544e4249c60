"""E-mail, as settings and the file of mailboxes have it."""

from datetime import timedelta

from services.intake.channels.kind import House, Parts
from services.intake.channels.mail.guard import Pace
from services.intake.channels.mail.listeners import mail_listeners
from services.intake.channels.mail.mailboxes import Mailboxes
from services.intake.channels.mail.out.parts import mail_outbox, mail_sender
from services.intake.channels.mail.out.routes import outbox_router
from services.intake.channels.mail.receiving import MailIn
from services.intake.channels.mail.routes import mail_router


def build(house: House) -> Parts:
    """See `channels.kind`.

    Raises:
        MailboxesAreWrong: the file or the settings cannot be used.
    """
    intake, store, settings = house.intake, house.store, house.settings
    mailboxes = Mailboxes.read(settings.mailboxes_file)
    out = mail_outbox(mailboxes, settings)
    within = timedelta(seconds=settings.mail_per_sender_seconds)
    mail = MailIn(
        intake,
        store,
        house.contents,
        mailboxes,
        pace=Pace(settings.mail_per_sender_max, within),
        out=out,
    )
    tasks = mail_listeners(mail, store, settings)
    if out is not None:
        tasks.append(mail_sender(intake, store, house.contents, mailboxes, settings).run)
    return Parts(
        routers=[
            mail_router(mail, store, house.contents, bytes_max=settings.mail_bytes_max),
            outbox_router(intake, store),
        ],
        outgoing=out,
        notices=out,
        tasks=tasks,
    )
