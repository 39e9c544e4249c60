"""A rehearsal: desks follow one another as in the live service; what its tables keep is kept in memory."""

import heapq
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from services.routing.domain.customers import LastAgent
from services.routing.domain.desk import Desk
from services.routing.domain.roster import Roster
from services.routing.domain.ticket import Ticket, queue_key
from shared.events.base import Event

DRAIN_MAX: Final = 500
"""Assignments of one desk, as in the service; here the next desk follows at once."""


class Rehearsal:
    """Everything between the decisions.

    Args:
        roster: who is there; changed in place.
        now: the moment of the next decision.
    """

    def __init__(self, roster: Roster, now: datetime) -> None:
        self.roster = roster
        self.now = now
        self.tickets: dict[UUID, Ticket] = {}
        self._waiting: dict[int, dict[UUID, Ticket]] = {}
        self._lane_of: dict[UUID, int] = {}
        self._last_agents: dict[str, LastAgent] = {}
        self._next_room_at: datetime | None = None

    def at_desk(
        self,
        act: Callable[[Desk], object] = lambda _desk: None,
        tickets: Iterable[Ticket] = (),
        *,
        everywhere: bool = False,
    ) -> list[Event]:
        """One action: it is done, then what waits is placed until nothing more can be.

        Args:
            act: what is done; when it refuses, nothing has changed.
            tickets: what it is about.
            everywhere: look at every queue, as the service's sweep does.

        Returns:
            Every event, in order.
        """
        events: list[Event] = []
        has_more = True
        while has_more:
            desk = Desk(now=self.now, roster=self.roster, tickets=tickets)
            act(desk)
            wanted = desk.lanes_to_fetch(everywhere=everywhere, at_most=DRAIN_MAX)
            heads = self.heads(wanted)
            known = desk.customers_to_recall(heads) & self._last_agents.keys()
            desk.customers.recall(self._last_agents[one] for one in known)
            is_cut_short = len(heads) == DRAIN_MAX < sum(wanted.values())
            has_more = desk.place(heads, at_most=DRAIN_MAX) or is_cut_short
            desk.forget_empty_lanes()
            self._keep(desk)
            events += desk.events
            act, tickets, everywhere = (lambda _desk: None), (), True
        return events

    def next_room_at(self) -> datetime | None:
        """When a rate limit will first let something that waits go on; None when nothing waits for that."""
        return self._next_room_at

    def queue(self) -> list[Ticket]:
        """All that waits, in order."""
        waiting = (ticket for lane in self._waiting.values() for ticket in lane.values())
        return sorted(waiting, key=queue_key)

    def heads(self, wanted: Mapping[int, int]) -> list[Ticket]:
        """The first tickets of lanes in the order of the queue (R3): lane → how many."""
        found: list[Ticket] = []
        for lane, count in wanted.items():
            found += heapq.nsmallest(count, self._waiting.get(lane, {}).values(), key=queue_key)
        return heapq.nsmallest(DRAIN_MAX, found, key=queue_key)

    def _keep(self, desk: Desk) -> None:
        for ticket_id, ticket in desk.changed_tickets.items():
            self.tickets[ticket_id] = ticket
            before = self._lane_of.pop(ticket_id, None)
            if before is not None:
                del self._waiting[before][ticket_id]
            if ticket.lane is not None:
                self._lane_of[ticket_id] = ticket.lane
                self._waiting.setdefault(ticket.lane, {})[ticket_id] = ticket
        self._last_agents.update(desk.customers.changed)
        self._next_room_at = desk.next_room_at()
