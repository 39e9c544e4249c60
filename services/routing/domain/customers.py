"""Which agent a customer had last, so that the next ticket can go to the same one (sticky, R6)."""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from services.routing.domain.agent import Group
from services.routing.domain.ticket import Ticket


class LastAgent(msgspec.Struct, kw_only=True):
    """The agent who was last given a ticket of this customer, by whatever way, and when."""

    requester_id: str
    agent_id: str
    assigned_at: datetime


class Customers:
    """What one transaction knows of customers.

    Attributes:
        changed: what became known here, by customer.
    """

    def __init__(self) -> None:
        self.changed: dict[str, LastAgent] = {}
        self._known: dict[str, LastAgent] = {}

    def recall(self, last_agents: Iterable[LastAgent]) -> None:
        """What is remembered; what became known here stays as it is."""
        for one in last_agents:
            self._known.setdefault(one.requester_id, one)

    def remember(self, requester_id: str, agent_id: str, now: datetime) -> None:
        """The agent has a ticket of this customer from now on."""
        one = LastAgent(requester_id=requester_id, agent_id=agent_id, assigned_at=now)
        self._known[requester_id] = self.changed[requester_id] = one

    def preferred(self, ticket: Ticket, group: Group, now: datetime) -> str | None:
        """The agent to whom the group keeps for this ticket, eligible or not; the window's end still counts."""
        seconds = group.profile.sticky_seconds
        last = self._known.get(ticket.requester_id) if ticket.requester_id else None
        if seconds is None or last is None or (now - last.assigned_at).total_seconds() > seconds:
            return None
        return last.agent_id
