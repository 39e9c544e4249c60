"""The entrance from Kafka: what routing's rules ask of tickets, in batches, each wish once."""

from collections.abc import Sequence
from typing import cast

from services.intake.domain import Ticket
from services.intake.settings import Settings
from services.intake.triage import do_triage
from shared.events.triage import TriageRequested
from shared.eventstore import EventStore, EventTransaction
from shared.messaging import Consumer, Received
from shared.topics import Topic


def listen(*, settings: Settings, store: EventStore[Ticket]) -> Consumer:
    """The consumer of intake.

    Args:
        settings: addresses and limits.
        store: changes and positions commit there together.
    """
    return Consumer(
        name="intake", topics=(Topic.TRIAGE,), settings=settings, store=store, handler=_take
    )


def _take(tx: EventTransaction[Ticket], batch: Sequence[Received]) -> None:
    do_triage(tx, [cast(TriageRequested, received.event) for received in batch])
