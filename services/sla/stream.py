"""The entrance from Kafka: what happened to tickets, and who has them."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from services.sla.settings import Settings
from services.sla.tickets.judging import Judging
from shared.eventstore import EventStore
from shared.messaging import Consumer
from shared.messaging.applying import Told
from shared.topics import Topic

TOPICS: Final = (Topic.TICKETS, Topic.ASSIGNMENTS)


def ticket_consumer(
    *,
    store: EventStore[Any],
    judging: Judging,
    settings: Settings,
    after_commit: Callable[[], None],
) -> Consumer:
    """Hands batches to the judging, and wakes timers and senders when they are committed."""

    def wake(_told: Sequence[Told]) -> None:
        after_commit()

    return Consumer(
        name="sla",
        topics=TOPICS,
        settings=settings,
        store=store,
        handler=judging.take,
        after_commit=wake,
    )


def is_caught_up(consumer: Consumer) -> bool:
    """Whether this process has partitions and has applied everything in them."""
    lag = consumer.lag()
    return consumer.problem is None and bool(lag) and not any(lag.values())
