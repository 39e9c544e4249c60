"""What came, counted by channel once it is stored."""

from typing import Any

from shared.events import Channel
from shared.eventstore import Outcome
from shared.observability import metrics


def received(channel: Channel, outcome: Outcome[Any]) -> None:
    """One more, unless it came before."""
    if not outcome.replayed:
        metrics.INTAKE_MESSAGES_IN.labels(channel).inc()
