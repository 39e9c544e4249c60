"""The desk of a transaction: locked, laid with what the decision needs, cleared into tables and log at the end."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from threading import Lock
from typing import Any
from uuid import UUID

from services.routing.app import tables
from services.routing.domain import timing
from services.routing.domain.cause import Cause
from services.routing.domain.desk import Desk
from services.routing.domain.roster import Roster
from shared.errors import TicketingError
from shared.eventstore import EventTransaction


class Desks:
    """Opens desks, one at a time over all processes, and keeps the roster in memory between them.

    The copy in memory is used only while the desk's row still bears the stamp that was written with it: after a
    rollback, a crash or another process's decision the stamp differs and the roster is read again.

    Args:
        drain_max: assignments from the queue in one transaction, so that new tickets need not wait behind a
            long drain.
        wake_at: told when a rate limit, a timer or a grace time will let something go on; may be called from any
            thread.
    """

    def __init__(
        self, *, drain_max: int, wake_at: Callable[[datetime], None] = lambda _moment: None
    ) -> None:
        self._drain_max = drain_max
        self._wake_at = wake_at
        self._kept: tuple[UUID, Roster] | None = None
        self._kept_lock = Lock()

    def wake_at(self, moment: datetime | None) -> None:
        """Something can go on at this moment."""
        if moment is not None:
            self._wake_at(moment)

    @contextmanager
    def open(
        self,
        tx: EventTransaction[Any],
        ids: Collection[UUID] = (),
        *,
        external_ids: Collection[str] = (),
        with_facts: Collection[UUID] = (),
    ) -> Iterator[Desk]:
        """A desk with these tickets on it; what was decided at it is in the transaction afterwards."""
        stamp = tables.lock_desk(tx)
        roster = self._take(stamp) or tables.load_roster(tx)
        tickets = tables.load_tickets(tx, set(ids) - set(with_facts), external_ids=external_ids)
        tickets += tables.load_tickets(tx, with_facts, with_facts=True)
        desk = Desk(now=tx.now, roster=roster, tickets=tickets)
        try:
            yield desk
        except TicketingError:
            # Refusing is everyday work (nothing to pull) and should not cost a fresh roster.
            if desk.is_roster_untouched:
                self._keep(stamp, roster)
            raise
        tx.append(*desk.events)
        timer_at = timing.set_timers(desk)
        self._keep(tables.save(tx, desk) or stamp, roster)
        for moment in (desk.next_room_at(), timer_at):
            if moment is not None:
                self._wake_at(moment)  # for nothing when the transaction fails, which does no harm

    def place(
        self,
        tx: EventTransaction[Any],
        desk: Desk,
        *,
        everywhere: bool = False,
        cause: Cause | None = None,
    ) -> bool:
        """Bring what waits to agents who can take it; returns whether more could be placed at once."""
        wanted = desk.lanes_to_fetch(everywhere=everywhere, at_most=self._drain_max)
        waiting = tables.heads(tx, wanted, at_most=self._drain_max)
        desk.customers.recall(tables.last_agents(tx, desk.customers_to_recall(waiting)))
        has_more = desk.place(waiting, at_most=self._drain_max, cause=cause)
        is_cut_short = len(waiting) == self._drain_max < sum(wanted.values())
        return has_more or is_cut_short

    def _take(self, stamp: UUID) -> Roster | None:
        """The copy, if it is true; it is given back by `_keep` only when all went well."""
        with self._kept_lock:
            kept, self._kept = self._kept, None
        return kept[1] if kept is not None and kept[0] == stamp else None

    def _keep(self, stamp: UUID, roster: Roster) -> None:
        with self._kept_lock:
            self._kept = stamp, roster
