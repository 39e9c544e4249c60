"""The entrance from Kafka: what intake and sla say (calendars for shifts too), in batches, each event once."""

from services.routing.app.deciding import Deciding
from services.routing.app.progress import Progress
from services.routing.settings import Settings
from shared.eventstore import EventStore
from shared.messaging import Consumer
from shared.topics import Topic


def listen(
    *, settings: Settings, store: EventStore[None], deciding: Deciding, heard: Progress
) -> Consumer:
    """The consumer of routing.

    Args:
        settings: addresses and limits.
        store: decisions, tables and positions commit there together.
        deciding: acts on the events.
        heard: moved after each commit, for whoever waits for a ticket to become known.
    """
    return Consumer(
        name="routing",
        topics=(Topic.TICKETS, Topic.SLA, Topic.POLICIES),
        settings=settings,
        store=store,
        handler=deciding.on_batch,
        after_commit=heard.move,
    )
