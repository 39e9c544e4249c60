"""How the outboxes stand, for the metrics: looked at by nobody who sends, for a sender that has died says nothing."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

import structlog

from services.intake.outgoing import Outgoing, Standing
from shared.database import TRANSIENT, Transaction
from shared.eventstore import EventStore
from shared.observability import metrics

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 15.0
"""As often as Prometheus asks by default."""


class OutboxWatch:
    """Looks at every outbox now and then.

    Args:
        store: where they are.
        outgoing: the channels that have one.
    """

    def __init__(self, store: EventStore[Any], outgoing: Sequence[Outgoing]) -> None:
        self._store = store
        self._outgoing = tuple(outgoing)

    async def run(self) -> None:
        """Until cancelled. A database that is away is waited for."""
        while True:
            try:
                await self.look()
            except TRANSIENT as error:
                log.warning("outbox_watch_waits", error=type(error).__name__)
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Tell how they stand now."""
        for channel, standing in (
            await asyncio.to_thread(self._store.transact, self._read)
        ).items():
            metrics.INTAKE_OUTBOX_WAITING.labels(channel).set(standing.waiting)
            metrics.INTAKE_OUTBOX_DEAD.labels(channel).set(standing.dead)
            metrics.INTAKE_OUTBOX_OLDEST_SECONDS.labels(channel).set(standing.oldest_seconds)

    def _read(self, tx: Transaction) -> Mapping[str, Standing]:
        return {one.name: one.standing(tx) for one in self._outgoing}
