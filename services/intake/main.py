"""The only place that knows which parts of intake are real."""

from collections.abc import Sequence
from importlib.metadata import version
from typing import Final

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
from services.intake.api.pictures import pictures_router
from services.intake.api.rules import rules_router
from services.intake.app import Intake
from services.intake.attachments.readings import FileReadings
from services.intake.attachments.store import AttachmentStore, BucketStore, FolderStore
from services.intake.bulk import Bulk
from services.intake.channels.chat import parts as chat
from services.intake.channels.form import parts as form
from services.intake.channels.help.routes import help_router
from services.intake.channels.identity import IdentityTokens
from services.intake.channels.installed import Channels
from services.intake.channels.kind import Build, House
from services.intake.channels.mail import parts as mail
from services.intake.channels.messengers import parts as messengers
from services.intake.channels.messengers.parts import build_sender
from services.intake.channels.outbox_watch import OutboxWatch
from services.intake.channels.pace import SenderPace
from services.intake.channels.phone import parts as phone
from services.intake.channels.survey.routes import survey_router
from services.intake.domain import Ticket, evolve, parts, ticket
from services.intake.knowledge.desk import Knowledge
from services.intake.people_moved import PeopleMoved
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
from shared.events.operations import OperationRecorded
from shared.events.readings import ReadingRecorded
from shared.events.tickets import TicketEvent
from shared.eventstore import EventStore, GroupCommitter, Snapshots
from shared.http.app import build_api
from shared.messaging import Relay
from shared.sensitivity import Sensitivity
from shared.service import Service

CHANNELS: Final[Sequence[Build]] = (
    messengers.build, mail.build, chat.build, form.build, phone.build,
)  # fmt: skip
"""All channels beside the API. Who may be answered by two is answered by the first: where they wrote, or by the address
that a visitor of the chat has left."""


_STATELESS: Final = (
    ConfigurationDefined | ContactEvent | ArticleJudged | ReadingRecorded | OperationRecorded
)


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
    house = House(
        intake=intake,
        store=store,
        contents=contents,
        clock=clock,
        settings=settings,
        channels=channels,
        identity=IdentityTokens(channels.identity.read()),
    )
    built = [build_channel(house) for build_channel in CHANNELS]
    outgoing = [one.outgoing for one in built if one.outgoing is not None]
    intake.outgoing.extend(outgoing)
    intake.notices = next((one.notices for one in built if one.notices is not None), None)
    surveys = Surveys(intake, outgoing if settings.public_url else [])
    sends = {source: way for one in built for source, way in one.sends.items()}
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
    api.include_router(pictures_router(knowledge, contents))
    help_pace = _help_pace(settings)
    api.include_router(help_router(knowledge, store, help_pace, clock))
    bulk = Bulk(intake, Toolbox(intake))
    api.include_router(bulk_router(bulk))
    api.include_router(survey_router(surveys, store))
    api.include_router(
        attachments_router(
            intake,
            store,
            contents,
            FileReadings(store, Sensitivity(settings)),
            bytes_max=settings.attachment_bytes_max,
        )
    )
    for one in built:
        for router in one.routers:
            api.include_router(router)
    return Service(
        Owner.INTAKE,
        settings,
        api=api,
        store=store,
        migrations=["services.intake"],
        consumers=[listen(settings=settings, store=store, intake=intake)],
        relay=Relay(store=store, settings=settings),
        committers=[committer, *(own for one in built for own in one.committers)],
        tasks=[
            PostponementTimer(intake, clock).run,
            ClosingTimer(intake, clock).run,
            SurveyTimer(surveys, clock).run,
            ConfigurationWatch(intake).run,
            PeopleMoved(intake).run,
            RuleTimer(time_rules, clock).run,
            RuleArming(time_rules).run,
            bulk.run,
            *(task for one in built for task in one.tasks),
            *([build_sender(house, sends).run] if sends else []),
            *([OutboxWatch(store, outgoing).run] if outgoing else []),
        ],
        websockets=any(one.websockets for one in built),
        on_drain=[drain for one in built for drain in one.on_drain],
        on_stop=[help_pace.close, *(close for one in built for close in one.on_stop)],
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


def _help_pace(settings: Settings) -> SenderPace:
    return SenderPace(
        settings.redis_url.get_secret_value() if settings.redis_url else None,
        prefix=f"{settings.topic_prefix}intake.help.",
        count_max=settings.help_per_address_max,
        seconds=60.0,
    )


def _fold(before: Ticket | None, event: Event) -> Ticket | None:
    if isinstance(event, _STATELESS):
        return None  # nobody asks for its state: a document is read from its table
    assert isinstance(event, TicketEvent), (
        "only events of tickets and configuration are stored here"
    )
    return evolve(before, event)
