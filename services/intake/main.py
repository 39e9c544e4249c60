"""The only place that knows which parts of intake are real."""

from datetime import timedelta
from importlib.metadata import version

from services.intake.api import (
    articles_router,
    bulk_router,
    configuration_router,
    contacts_router,
    intake_router,
    saved_views_router,
    shortcuts,
)
from services.intake.api.attachments import attachments_router
from services.intake.api.rules import rules_router
from services.intake.app import Intake
from services.intake.attachments.store import AttachmentStore, BucketStore, FolderStore
from services.intake.bulk import Bulk
from services.intake.channels.chat.desk import ChatDesk
from services.intake.channels.chat.hub import Hub
from services.intake.channels.chat.idle import SilenceWatch
from services.intake.channels.chat.routes import chat_pages, chat_router
from services.intake.channels.chat.sockets import Room, chat_sockets
from services.intake.channels.chat.store import ChatReading
from services.intake.channels.form.receiving import WebForms
from services.intake.channels.form.routes import form_router
from services.intake.channels.help.routes import help_router
from services.intake.channels.identity import IdentityTokens
from services.intake.channels.installed import Channels
from services.intake.channels.mail.guard import Pace
from services.intake.channels.mail.listeners import mail_listeners
from services.intake.channels.mail.mailboxes import Mailboxes
from services.intake.channels.mail.out.outbox import MailOutbox
from services.intake.channels.mail.out.parts import mail_outbox, mail_sender
from services.intake.channels.mail.out.routes import outbox_router
from services.intake.channels.mail.receiving import MailIn
from services.intake.channels.mail.routes import mail_router
from services.intake.channels.messengers.files import FilesOut
from services.intake.channels.messengers.media import MediaIn
from services.intake.channels.messengers.outbox import MessengerOutbox
from services.intake.channels.messengers.parts import build_messengers
from services.intake.channels.messengers.receiving import MessengersIn
from services.intake.channels.messengers.routes import messenger_router
from services.intake.channels.messengers.sender import MessengerSender
from services.intake.channels.pace import SenderPace
from services.intake.channels.phone.calls import PhoneCalls
from services.intake.channels.phone.routes import phone_router
from services.intake.channels.survey.routes import survey_router
from services.intake.domain import Ticket, evolve, parts, ticket
from services.intake.knowledge.desk import Knowledge
from services.intake.secrets import Secret
from services.intake.settings import Settings
from services.intake.stream import listen
from services.intake.surveys.desk import Surveys
from services.intake.time_rules import TimeRules
from services.intake.timers import (
    ClosingTimer,
    ConfigurationWatch,
    PostponementTimer,
    RuleArming,
    RuleTimer,
    SurveyTimer,
)
from services.intake.toolbox import Toolbox
from shared.clock import SystemClock
from shared.events import Event, Owner
from shared.events.articles import ArticleJudged
from shared.events.configuration import ConfigurationDefined
from shared.events.contacts import ContactEvent
from shared.events.tickets import TicketEvent
from shared.eventstore import EventStore, GroupCommitter, Snapshots
from shared.http.app import build_api
from shared.messaging import Relay
from shared.service import Service


def build(settings: Settings) -> Service:
    """The service, ready to run."""
    store = EventStore(
        settings,
        owner=Owner.INTAKE,
        evolve=_fold,
        snapshots=Snapshots(Ticket, folded_by=(ticket, parts)),
    )
    committer = GroupCommitter(store, group_max=settings.commit_group_max)
    intake = Intake(store, committer)
    clock = SystemClock()
    contents = _contents(settings)
    channels = Channels.read(settings.channels_file)
    calls = None if channels.phone is None else PhoneCalls(intake, channels.phone)
    mailboxes = Mailboxes.read(settings.mailboxes_file)
    out = mail_outbox(mailboxes, settings)
    mail = _mail(intake, store, contents, mailboxes, out, settings)
    senders = []
    if out is not None:
        intake.outgoing.append(out)
        intake.notices = out
        senders.append(mail_sender(intake, store, contents, mailboxes, settings).run)
    messengers = build_messengers(channels.messengers)
    if messengers:
        intake.outgoing.insert(
            0, MessengerOutbox()
        )  # before mail: where they wrote, they are answered
        give_up = timedelta(hours=channels.messengers.give_up_hours)
        files = FilesOut(
            store,
            contents,
            public_url=settings.public_url,
            link_lives=timedelta(days=channels.messengers.file_link_days),
        )
        senders.append(MessengerSender(intake, store, messengers, files, give_up=give_up).run)
    api = build_api(
        name=Owner.INTAKE,
        title="Ticketing: intake",
        version=version("ticketing"),
        settings=settings,
        shortcuts=shortcuts(intake, clock),
    )
    api.include_router(intake_router(intake, clock))
    api.include_router(configuration_router(intake, clock))
    api.include_router(saved_views_router(intake, clock))
    api.include_router(contacts_router(intake, clock))
    api.include_router(rules_router(intake, clock))
    time_rules = TimeRules(intake, store)
    knowledge = Knowledge(intake)
    api.include_router(articles_router(knowledge, clock))
    api.include_router(help_router(knowledge, store, _help_pace(settings), clock))
    bulk = Bulk(intake, Toolbox(intake))
    api.include_router(bulk_router(bulk))
    api.include_router(mail_router(mail, store, contents, bytes_max=settings.mail_bytes_max))
    api.include_router(phone_router(calls, store, clock))
    media = MediaIn(contents, bytes_max=settings.attachment_bytes_max)
    api.include_router(messenger_router(MessengersIn(intake), media, messengers, store, clock))
    identity = IdentityTokens(channels.identity.read())
    forms = None if channels.forms is None else WebForms(intake, channels.forms, identity)
    api.include_router(
        form_router(
            forms,
            store,
            contents,
            _form_pace(channels, settings),
            file_bytes_max=settings.attachment_bytes_max,
        )
    )
    surveys = Surveys(intake, None if settings.public_url is None else out)
    api.include_router(survey_router(surveys, store))
    api.include_router(outbox_router(intake, store))
    api.include_router(
        attachments_router(intake, store, contents, bytes_max=settings.attachment_bytes_max)
    )
    chat_committer = GroupCommitter(store, group_max=settings.commit_group_max)
    room = _chat(intake, store, chat_committer, channels, identity, settings)
    api.include_router(chat_router(room))
    api.include_router(chat_pages(room))
    api.include_router(chat_sockets(room))
    return Service(
        Owner.INTAKE,
        settings,
        api=api,
        store=store,
        migrations=["services.intake"],
        consumers=[listen(settings=settings, store=store, intake=intake)],
        relay=Relay(store=store, settings=settings),
        committers=[committer, *([chat_committer] if room else [])],
        tasks=[
            PostponementTimer(intake, clock).run,
            ClosingTimer(intake, clock).run,
            SurveyTimer(surveys, clock).run,
            ConfigurationWatch(intake).run,
            RuleTimer(time_rules, clock).run,
            RuleArming(time_rules).run,
            bulk.run,
            *mail_listeners(mail, store, settings),
            *senders,
            *([room.hub.run, SilenceWatch(room.desk).run] if room else []),
        ],
        websockets=room is not None,
        on_drain=[room.hub.close] if room else [],
        needs_kafka=False,  # it goes on accepting while Kafka is away and catches up
    )


def _contents(settings: Settings) -> AttachmentStore:
    if settings.attachments_bucket is None:
        return FolderStore(settings.attachments_folder)
    secret = settings.attachments_secret
    return BucketStore(
        settings.attachments_bucket,
        endpoint=settings.attachments_endpoint,
        region=settings.attachments_region,
        key_id=settings.attachments_key_id,
        secret=None if secret is None else secret.get_secret_value(),
    )


def _chat(
    intake: Intake,
    store: EventStore[Ticket],
    committer: GroupCommitter[Ticket],
    channels: Channels,
    identity: IdentityTokens,
    settings: Settings,
) -> Room | None:
    if channels.chat is None:
        return None
    reading = ChatReading(store)
    hub = Hub(
        reading,
        redis_url=settings.redis_url.get_secret_value() if settings.redis_url else None,
        channel=f"{settings.topic_prefix}intake.chat",
    )
    desk = ChatDesk(intake, committer, channels.chat, hub.announce)
    return Room(desk, hub, reading, identity, Secret("chat"), store)


def _form_pace(channels: Channels, settings: Settings) -> SenderPace | None:
    forms = channels.forms
    if forms is None:
        return None
    return SenderPace(
        settings.redis_url.get_secret_value() if settings.redis_url else None,
        prefix=f"{settings.topic_prefix}intake.forms.",
        count_max=forms.per_address_max,
        seconds=forms.per_address_seconds,
    )


def _help_pace(settings: Settings) -> SenderPace:
    return SenderPace(
        settings.redis_url.get_secret_value() if settings.redis_url else None,
        prefix=f"{settings.topic_prefix}intake.help.",
        count_max=settings.help_per_address_max,
        seconds=60.0,
    )


def _mail(
    intake: Intake,
    store: EventStore[Ticket],
    contents: AttachmentStore,
    mailboxes: Mailboxes,
    out: MailOutbox | None,
    settings: Settings,
) -> MailIn:
    within = timedelta(seconds=settings.mail_per_sender_seconds)
    return MailIn(
        intake,
        store,
        contents,
        mailboxes,
        pace=Pace(settings.mail_per_sender_max, within),
        out=out,
    )


def _fold(before: Ticket | None, event: Event) -> Ticket | None:
    if isinstance(event, ConfigurationDefined | ContactEvent | ArticleJudged):
        return None  # a document is read from its table
    assert isinstance(event, TicketEvent), (
        "only events of tickets and configuration are stored here"
    )
    return evolve(before, event)
