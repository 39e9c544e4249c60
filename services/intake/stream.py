"""The entrance from Kafka: what routing's rules and sla's ladders ask of tickets, in batches, each wish once."""

from collections.abc import Sequence
from typing import Final

from services.intake.app import Asking, Intake
from services.intake.domain import Ticket
from services.intake.heard import take_note
from services.intake.settings import Settings
from services.intake.triage import do_triage
from shared.errors import NotFound, Unreadable
from shared.events import Channel, Event
from shared.events.assignments import GroupChanged, TicketAssigned, TicketUnassigned
from shared.events.policies import CalendarDefined
from shared.events.sla import SlaBreached, SlaEscalationStep, SlaWarning
from shared.events.triage import TriageRequested
from shared.eventstore import EventStore, EventTransaction
from shared.messaging import Consumer, Received
from shared.topics import Topic


def _types(*events: type[Event]) -> frozenset[str]:
    return frozenset(str(event.__struct_config__.tag) for event in events)


WANTED: Final = {
    Topic.SLA: _types(SlaEscalationStep, SlaWarning, SlaBreached),
    Topic.ASSIGNMENTS: _types(GroupChanged, TicketAssigned, TicketUnassigned),
    Topic.POLICIES: _types(CalendarDefined),
}
"""Of all that is said only this is wanted here: ladders and lateness, who has a ticket, calendars."""


def listen(*, settings: Settings, store: EventStore[Ticket], intake: Intake) -> Consumer:
    """The consumer of intake.

    Args:
        settings: addresses and limits.
        store: changes and positions commit there together.
        intake: the verbs.
    """

    def take(tx: EventTransaction[Ticket], batch: Sequence[Received]) -> None:
        events = [received.event for received in batch]
        do_triage(intake, tx, [event for event in events if isinstance(event, TriageRequested)])
        for event in events:
            if isinstance(event, SlaEscalationStep):
                _follow_ladder(intake, tx, event)
        take_note(tx, events)
        for event in events:
            _tell_rules(intake, tx, event)

    return Consumer(
        name="intake",
        topics=(Topic.TRIAGE, Topic.SLA, Topic.ASSIGNMENTS, Topic.POLICIES),
        settings=settings,
        store=store,
        handler=take,
        wanted=WANTED,
    )


def _tell_rules(intake: Intake, tx: EventTransaction[Ticket], event: Event) -> None:
    """Let the rules act on it; nothing is read when none listens. Raises Unreadable: see `Intake.heard`."""
    if not isinstance(
        event, GroupChanged | TicketAssigned | TicketUnassigned | SlaWarning | SlaBreached
    ):
        return
    book = intake.configuration.rules(tx)
    if book is not None and event.via is not Channel.IMPORT and book.concerns(event):
        intake.heard(tx, event, event.ticket_id)


def _follow_ladder(intake: Intake, tx: EventTransaction[Ticket], event: SlaEscalationStep) -> None:
    """Raise the priority, if the step asks for it.

    Raises:
        Unreadable: it is about a ticket that was never opened here.
    """
    if event.raise_priority is None:
        return
    asking = Asking(
        actor=event.actor,
        via=Channel.SYSTEM,
        correlation_id=event.correlation_id,
        causation_id=event.event_id,
    )
    try:
        intake.raise_priority(tx, event.ticket_id, event.raise_priority, asking)
    except NotFound as error:
        raise Unreadable(f"{event.event_id}: {error.detail}") from error
