"""Routing as its entrances see it: commands enter the store in groups, reads go to the tables."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, TypeVar
from uuid import UUID

import structlog
from redis.exceptions import RedisError

from services.routing.app.asking import Act, AgentView, Asking, AssignmentView, ImportView
from services.routing.app.dry_run import Trials
from services.routing.app.history import History
from services.routing.app.importing import Importing, Item, Result, TicketRef
from services.routing.app.progress import Progress
from services.routing.app.reading import Reading
from services.routing.app.rule_history import RuleHistory
from services.routing.domain.cause import Cause
from services.routing.presence import Leases
from shared.errors import NotFound, NotYet
from shared.events.base import Actor
from shared.eventstore import Claim, EventStore, EventTransaction, GroupCommitter, Outcome
from shared.http.origin import Origin
from shared.operations import Operation, note_in_events

R = TypeVar("R")
log = structlog.get_logger(__name__)

IMPORT_CHUNK: Final = 500
"""Lines of an import in one transaction: live decisions get in between after a few tenths of a second."""

_YOUNG_SECONDS: Final = 300
"""A ticket id made this recently may still be on its way from intake."""

_UUID7: Final = 7


class Routing:
    """The verbs with their transactions.

    Args:
        store: events and tables.
        committer: the way of commands into the store.
        asking: the verbs.
        importing: the verbs of the import.
        reading: the questions.
        heard: moves when the stream has applied a batch.
        leases: heartbeat leases, when there is a Redis.
        unknown_wait_seconds: how long a command waits for a ticket of which nothing is known yet.
        import_wait_seconds: the same for a line of an import.
    """

    def __init__(
        self,
        *,
        store: EventStore[Any],
        committer: GroupCommitter[Any],
        asking: Asking,
        importing: Importing,
        heard: Progress,
        leases: Leases | None,
        unknown_wait_seconds: float,
        import_wait_seconds: float,
    ) -> None:
        self.asking = asking
        self.reading = Reading(store)
        self.rule_history = RuleHistory(store)
        self.trials = Trials(store)
        self.history = History(store)
        self._store = store
        self._committer = committer
        self._importing = importing
        self._heard = heard
        self._leases = leases
        self._unknown_wait_seconds = unknown_wait_seconds
        self._import_wait_seconds = import_wait_seconds

    async def command(
        self, work: Callable[[EventTransaction[Any]], R], claim: Claim | None = None
    ) -> Outcome[R]:
        """Run a verb; returns after the commit."""
        return await self._committer.submit(work, claim=claim)

    async def note(self, done: Operation) -> None:
        """Into the audit; returns after the commit."""
        await self.command(lambda tx: note_in_events(tx, done))

    async def announce_import(self, origin: Origin, *, is_open: bool) -> Outcome[ImportView]:
        """An import begins or has ended; who said so is in the audit."""

        def work(tx: EventTransaction[Any]) -> ImportView:
            what = "import.start" if is_open else "import.end"
            note_in_events(tx, Operation.by(origin, what, "import"))
            return self.asking.set_importing(tx, is_open)

        return await self.command(work)

    async def command_on(
        self,
        ticket_id: UUID,
        work: Callable[[EventTransaction[Any]], R],
        claim: Claim | None = None,
    ) -> Outcome[R]:
        """Run a verb about a ticket; one that was opened a moment ago is waited for, bounded.

        Raises:
            NotYet: it may still come. NotFound: an old id of which nothing was ever heard.
        """
        until = time.monotonic() + self._unknown_wait_seconds
        while True:
            seen = self._heard.count
            try:
                return await self.command(work, claim)
            except NotYet:
                if not _is_young(ticket_id):
                    raise NotFound(f"there is no ticket {ticket_id}") from None
                if not await self._heard.past(seen, until - time.monotonic()):
                    raise

    async def act(
        self, ticket_id: UUID, cause: Cause, act: Act, claim: Claim | None = None
    ) -> Outcome[AssignmentView]:
        """Do something to one ticket, as `command_on`."""
        return await self.command_on(
            ticket_id, lambda tx: self.asking.about(tx, ticket_id, cause, act), claim
        )

    async def heartbeat(self, agent_id: str, cause: Cause) -> AgentView:
        """A sign of life: renews the lease, and brings back an agent who had been lost.

        Raises:
            NotFound: there is no such agent.
        """
        agent, is_leased = await self.reading.agent_with_lease(agent_id)
        await self.renew_lease(agent_id)
        if is_leased and agent.presence is agent.chosen_presence:
            return agent
        outcome = await self.command(lambda tx: self.asking.regain_heartbeat(tx, agent_id, cause))
        return outcome.result

    async def renew_lease(self, agent_id: str) -> None:
        """The agent is there. Without Redis nothing is kept, and nobody is turned offline for it."""
        if self._leases is None:
            return
        try:
            await self._leases.renew(agent_id)
        except (RedisError, OSError) as error:
            # The lease watch says on /readyz that presence is degraded; the request itself can be done.
            log.warning("lease_not_renewed", error=type(error).__name__)

    async def import_lines(
        self, items: list[Item], actor: Actor, correlation_id: str
    ) -> list[Result]:
        """Do the lines in order; those whose ticket is not known yet wait for it, bounded, without holding up others.

        Returns:
            One result for each; None for a line whose ticket did not come in time.
        """
        results: list[Result] = [None] * len(items)
        waiting = list(range(len(items)))
        until = time.monotonic() + self._import_wait_seconds
        while waiting:
            seen = self._heard.count
            blocked: set[TicketRef] = set()
            still: list[int] = []
            for start in range(0, len(waiting), IMPORT_CHUNK):
                places = waiting[start : start + IMPORT_CHUNK]
                chunk = [items[place] for place in places]
                done = await asyncio.to_thread(self._apply, chunk, actor, correlation_id, blocked)
                for place, result in zip(places, done, strict=True):
                    results[place] = result
                    if result is None:
                        still.append(place)
            waiting = still
            if waiting and not await self._heard.past(seen, until - time.monotonic()):
                break
        return results

    def _apply(
        self, chunk: list[Item], actor: Actor, correlation_id: str, blocked: set[TicketRef]
    ) -> list[Result]:
        def work(tx: EventTransaction[Any]) -> tuple[list[Result], set[TicketRef]]:
            mine = set(blocked)  # a transaction that is repeated must not see its own first try
            return self._importing.apply(tx, chunk, actor, correlation_id, mine), mine

        results, now_blocked = self._store.transact(work)
        blocked |= now_blocked
        return results


def _is_young(ticket_id: UUID) -> bool:
    if ticket_id.version != _UUID7:
        return False
    made_at = (ticket_id.int >> 80) / 1000
    return datetime.now(UTC).timestamp() - made_at < _YOUNG_SECONDS
