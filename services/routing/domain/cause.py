"""Who set something in motion: told with every event that came of it."""

from datetime import datetime
from typing import Final

import msgspec

from shared.events.base import Actor, ActorKind, Channel
from shared.identifiers import new_id

ROUTER: Final = Actor(kind=ActorKind.SYSTEM, id="routing")


class Cause(msgspec.Struct, frozen=True):
    """Who set something in motion, through what, and because of which event."""

    actor: Actor
    via: Channel
    correlation_id: str
    causation_id: str | None = None
    occurred_at: datetime | None = None

    @classmethod
    def by_router(
        cls, correlation_id: str | None = None, causation_id: str | None = None
    ) -> "Cause":
        """Routing itself acts, because of an event or of its own accord."""
        return cls(ROUTER, Channel.SYSTEM, correlation_id or str(new_id()), causation_id)
