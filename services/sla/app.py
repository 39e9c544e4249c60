"""The verbs of the sla service that people call; each is one transaction through the store."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from services.sla.alerts import log, outbox
from services.sla.promises import define
from services.sla.promises.books import Books
from services.sla.promises.define import Defined
from services.sla.tickets import imports, states
from services.sla.tickets.clocks import TicketClocks, clocks_of
from services.sla.tickets.judging import Judging
from shared.clock import Clock
from shared.errors import NotFound
from shared.eventstore import Claim, EventStore, EventTransaction, GroupCommitter
from shared.http.origin import Origin
from shared.operations import Operation, note_in_events

R = TypeVar("R")
Tx = EventTransaction[Any]


class Sla:
    """What can be asked of the service.

    Args:
        store: events and tables.
        committer: for commands with an Idempotency-Key.
        books: the rulebook in force.
        judging: acknowledges.
        clock: tells now.
        on_calendar: called when a calendar has changed.
        on_alert: called when there is something to send.
        on_import: called when an import has begun or ended.
    """

    def __init__(
        self,
        *,
        store: EventStore[Any],
        committer: GroupCommitter[Any],
        books: Books,
        judging: Judging,
        clock: Clock,
        on_calendar: Callable[[], None] = lambda: None,
        on_alert: Callable[[], None] = lambda: None,
        on_import: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._committer = committer
        self._books = books
        self._judging = judging
        self._clock = clock
        self._on_calendar = on_calendar
        self._on_alert = on_alert
        self._on_import = on_import

    async def define_policy(
        self,
        policy_id: str,
        document: Mapping[str, Any],
        *,
        origin: Origin,
        expected: int | None,
        claim: Claim | None,
    ) -> Defined:
        """Make or change a policy (S10)."""
        return await self._submit(
            lambda tx: define.define_policy(
                tx, policy_id, document, origin=origin, expected=expected
            ),
            Defined,
            claim,
        )

    async def order_policies(
        self, ids: Sequence[str], *, origin: Origin, claim: Claim | None
    ) -> list[Defined]:
        """Ask the policies in this order from now on."""
        return await self._submit(
            lambda tx: define.order_policies(tx, ids, origin=origin), list[Defined], claim
        )

    async def define_calendar(
        self,
        calendar_id: str,
        document: Mapping[str, Any],
        *,
        origin: Origin,
        expected: int | None,
        claim: Claim | None,
    ) -> Defined:
        """Make or change a calendar; open clocks follow soon (S12)."""
        defined = await self._submit(
            lambda tx: define.define_calendar(
                tx, calendar_id, document, origin=origin, expected=expected
            ),
            Defined,
            claim,
        )
        self._on_calendar()
        return defined

    async def policies(self) -> list[Defined]:
        """The policies as they are now, in the order in which they are asked."""
        current = await self._read(define.current_policies)
        found = [
            Defined(id=name, version=version, definition=document)
            for name, (version, document) in current.items()
        ]
        return sorted(found, key=lambda each: (each.definition["order"], each.id))

    async def calendars(self) -> list[Defined]:
        """The calendars as they are now, by id."""
        current = await self._read(define.current_calendars)
        return [
            Defined(id=name, version=version, definition=document)
            for name, (version, document) in sorted(current.items())
        ]

    async def policy(self, policy_id: str, version: int | None = None) -> Defined:
        """One version of a policy, the newest without `version`.

        Raises:
            NotFound: there is none.
        """
        return await self._version("policy", policy_id, version)

    async def calendar(self, calendar_id: str, version: int | None = None) -> Defined:
        """One version of a calendar, the newest without `version`.

        Raises:
            NotFound: there is none.
        """
        return await self._version("calendar", calendar_id, version)

    async def clocks(self, ticket_id: UUID) -> TicketClocks:
        """A ticket's clocks as of now.

        Raises:
            NotFound: nothing was heard of such a ticket.
        """

        def read(tx: Tx) -> TicketClocks | None:
            row = states.find(tx, ticket_id)
            if row is None:
                return None
            return clocks_of(row, self._books.current(tx), now=self._clock.now())

        found = await self._read(read)
        if found is None:
            raise NotFound(f"No ticket {ticket_id} has been heard of.", field="ticket_id")
        return found

    async def review(
        self,
        ticket_id: UUID,
        metric: str,
        cycle: int,
        *,
        stands: bool,
        note: str | None,
        origin: Origin,
    ) -> TicketClocks:
        """A person decides about a breach in doubt (S20).

        Raises:
            NotFound: no such decision is waited for.
        """
        await self._read(
            lambda tx: self._judging.review(
                tx, ticket_id, metric, cycle, stands=stands, note=note, origin=origin
            )
        )
        self._on_alert()
        return await self.clocks(ticket_id)

    async def announce_import(self, origin: Origin, *, is_open: bool) -> None:
        """History begins to stream in, or its last line was sent; who said so is in the audit."""

        def work(tx: Tx) -> None:
            what = "import.start" if is_open else "import.end"
            note_in_events(tx, Operation.by(origin, what, "import"))
            imports.announce(tx, is_open=is_open, now=self._clock.now())

        await self._read(work)
        self._on_import()

    async def alerts(
        self,
        *,
        state: str | None,
        ticket_id: UUID | None,
        summary_id: UUID | None,
        before: tuple[datetime, UUID] | None,
        limit: int,
    ) -> list[dict[str, Any]]:
        """The delivery log, newest first."""
        return await self._read(
            lambda tx: log.list_alerts(
                tx,
                state=state,
                ticket_id=ticket_id,
                summary_id=summary_id,
                before=before,
                limit=limit,
            )
        )

    async def alert(self, alert_id: UUID) -> dict[str, Any]:
        """One alert with what was said about it.

        Raises:
            NotFound: there is none.
        """
        return await self._read(lambda tx: log.find_alert(tx, alert_id))

    async def acknowledge(self, key: str, *, origin: Origin) -> dict[str, Any]:
        """Somebody looks after it: the ladder of its clock stops. Asking again changes nothing.

        Args:
            key: an alert's id, or a dedupe key `sla:<ticket>:<metric>:<cycle>` with an open alert.
            origin: who.

        Raises:
            NotFound: there is none.
        """

        def work(tx: Tx) -> dict[str, Any]:
            meant = outbox.find_meant(tx, key)
            if meant.state == "firing":
                self._judging.acknowledge(
                    tx, meant.ticket_id, meant.metric, meant.cycle, origin=origin
                )
            return log.find_alert(tx, meant.alert_id)

        answer = await self._read(work)
        self._on_alert()
        return answer

    async def _version(self, what: str, name: str, version: int | None) -> Defined:
        found = await self._read(lambda tx: define.find_version(tx, what, name, version))
        if found is None:
            which = f" version {version}" if version is not None else ""
            raise NotFound(f"There is no {what} {name}{which}.", field=f"{what}_id")
        return found

    async def _submit(self, work: Callable[[Tx], R], kind: type[R], claim: Claim | None) -> R:
        outcome = await self._committer.submit(work, claim=claim)
        # A repetition gets the first answer again, as the plain JSON it was kept as.
        return msgspec.convert(outcome.result, kind) if outcome.replayed else outcome.result

    async def _read(self, work: Callable[[Tx], R]) -> R:
        return await asyncio.to_thread(self._store.transact, work)
