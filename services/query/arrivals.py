"""When events become visible: measured, and waited for by readers of their own write."""

import asyncio
from collections.abc import Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

from services.query.views.pools import Pool
from services.query.views.scope import Scope
from shared.errors import Refused
from shared.events.base import Channel
from shared.messaging.applying import Told
from shared.observability import metrics

_LOOK_AGAIN_SECONDS: Final = 0.1
"""Another process may project the ticket; then nobody here is told, and looking is the only way."""


class NotProjectedYet(Refused):
    """The version asked for has not reached the projections within the limit; it will, ask again."""

    status = 504
    title = "Not projected yet"


class Visibility:
    """Measures how long events took from their owner's record to a committed projection.

    Imported history is not counted, nor what was recorded before `since` (this process's start): a
    rebuild is no delay, and what waited while nobody ran is told by the consumer's lag.
    """

    def __init__(self, since: datetime) -> None:
        self._since = since

    def note(self, events: Iterable[Told], now: datetime) -> None:
        """These were committed just now. From any thread."""
        for event in events:
            if event.recorded_at >= self._since and event.via is not Channel.IMPORT:
                delay = (now - event.recorded_at).total_seconds()
                metrics.QUERY_VISIBLE_SECONDS.observe(max(delay, 0.0))


class Arrivals:
    """Wakes whoever waits for a ticket as soon as a batch with it is committed."""

    def __init__(self) -> None:
        self._waiting: dict[UUID, set[asyncio.Event]] = {}

    def announce(self, ticket_ids: Iterable[UUID]) -> None:
        """These tickets have changed. Call it in the event loop."""
        for ticket_id in ticket_ids & self._waiting.keys():
            for event in self._waiting[ticket_id]:
                event.set()

    async def wait_for(
        self,
        pool: Pool,
        reference: UUID | int,
        version: int,
        scope: Scope,
        *,
        seconds_max: float,
    ) -> None:
        """Return once the ticket has at least this version of intake's stream.

        A ticket that is not there, or is another customer's, is waited for as well: it may be on its way.

        Raises:
            NotProjectedYet: it did not come within `seconds_max`.
        """
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + seconds_max
        arrived = asyncio.Event()
        has_waited = False
        if isinstance(reference, UUID):
            self._waiting.setdefault(reference, set()).add(arrived)
        try:
            while True:
                arrived.clear()
                known = await _version(pool, reference, scope)
                if known >= version:
                    metrics.QUERY_VERSION_WAITS.labels("waited" if has_waited else "there").inc()
                    return
                remaining = ends_at - loop.time()
                if remaining <= 0:
                    metrics.QUERY_VERSION_WAITS.labels("gave_up").inc()
                    raise NotProjectedYet(
                        f"version {version} has not been projected within {seconds_max:g} s"
                        f" (known: {known}); ask again soon",
                        field="query min_version",
                    )
                has_waited = True
                await _event_or_timeout(arrived, min(remaining, _LOOK_AGAIN_SECONDS))
        finally:
            if isinstance(reference, UUID):
                waiting = self._waiting[reference]
                waiting.discard(arrived)
                if not waiting:
                    del self._waiting[reference]


async def _event_or_timeout(event: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return


async def _version(pool: Pool, reference: UUID | int, scope: Scope) -> int:
    by_number = isinstance(reference, int)
    statement = "SELECT version FROM tickets WHERE ticket_id = %(reference)s"
    if by_number:
        statement = "SELECT version FROM tickets WHERE number = %(reference)s"
    async with pool.connection() as connection:
        found = await connection.execute(
            statement + " AND (%(requester)s::text[] IS NULL"
            " OR (requester_id = ANY(ids_of_person(%(requester)s)) AND NOT is_internal))",
            {"reference": reference, "requester": scope.ids},
        )
        row = await found.fetchone()
    return row["version"] if row else 0
