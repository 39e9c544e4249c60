"""A simulation says what the live desk does: the same history, told to both, ends with the same people and tickets."""

import json
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from services.routing.domain.commands import NothingToPull
from services.routing.domain.simulation import Scenario, simulate
from services.routing.domain.strategies import STRATEGIES
from services.routing.domain.ticket import queue_key
from shared.events.agents import Presence
from shared.events.base import Priority, StatusCategory
from shared.http.bodies import decode_json
from tests.unit.routing.builders import START, Floor

AGENTS = ("ann", "bob", "cyd")
WHICH = st.integers(0, 30)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("open"), st.sampled_from(Priority), st.sampled_from(["cora", "dave"])),
        st.tuples(st.just("give"), WHICH, st.sampled_from(AGENTS)),
        st.tuples(st.just("unassign"), WHICH, st.none()),
        st.tuples(st.just("move"), WHICH, st.sampled_from(["open", "pending", "solved"])),
        st.tuples(st.just("presence"), st.sampled_from(AGENTS), st.sampled_from(Presence)),
        st.tuples(st.just("capacity"), st.sampled_from(AGENTS), st.none() | st.integers(0, 4)),
        st.tuples(st.just("next"), st.sampled_from(AGENTS), st.none()),
        st.tuples(st.just("wait"), st.sampled_from([1, 7, 30]), st.none()),
    ),
    max_size=50,
)


@settings(max_examples=250, deadline=None)
@given(
    strategy=st.sampled_from([*STRATEGIES, "manual"]),
    limit=st.none() | st.tuples(st.integers(1, 3), st.sampled_from([5, 20])),
    sticky=st.none() | st.just(10),
    steps=STEPS,
)
def test_any_history_ends_the_same(
    strategy: str,
    limit: tuple[int, int] | None,
    sticky: int | None,
    steps: list[tuple[str, Any, Any]],
) -> None:
    sharing: dict[str, Any] = {"weights": {"ann": 2}, "sticky_seconds": sticky}
    live = Live(strategy, {**sharing, **({"rate_limit": limit} if limit else {})})
    actions = [action for step in steps if (action := live.do(*step)) is not None]
    document = {
        "config": {
            "strategy": strategy,
            **sharing,
            "rate_limit": {"count": limit[0], "seconds": limit[1]} if limit else None,
            "group": "support",
        },
        "start_at": START.isoformat(),
        "agents": [{"id": name, "capacity": 2} for name in AGENTS],
        "actions": actions,
    }
    outcome = simulate(decode_json(json.dumps(document).encode(), Scenario))
    assert outcome.loads == {name: live.floor.roster.agents[name].load for name in AGENTS}
    waiting = sorted(
        (ticket for ticket in live.floor.tickets.values() if ticket.lane is not None), key=queue_key
    )
    assert [one.ticket for one in outcome.queue] == [ticket.ticket_id.int for ticket in waiting]
    assert [one.reasons for one in outcome.queue] == [one.refusals.split(",") for one in waiting]
    holders: dict[Any, str | None] = {}
    for done in outcome.results:
        assert done.outcome != "refused" or done.type == "next"
        for one in done.decisions:
            holders[one.ticket] = (
                one.agent if one.outcome == "assigned" else holders.get(one.ticket)
            )
            if one.outcome == "unassigned":
                holders[one.ticket] = None
    assert holders == {ticket.int: live.floor.holder(ticket) for ticket in live.floor.tickets}


class Live:
    """The desks of `builders`, and each step as the scenario says it."""

    def __init__(self, strategy: str, sharing: dict[str, Any]) -> None:
        self.floor = Floor()
        self.floor.group("support")
        self.floor.rules(default="support")
        for name in AGENTS:
            self.floor.agent(name, capacity=2)
        for agent in self.floor.roster.agents.values():
            agent.turn, agent.idle_since = 0, START - timedelta(days=1)
        self.floor.shares(strategy, **sharing)

    def do(self, what: str, first: Any, second: Any) -> dict[str, Any] | None:
        """Do it, and say it as an action; None when there is nothing to do it to."""
        if what in {"give", "unassign", "move"}:
            known = len(self.floor.tickets)
            return self._about(what, UUID(int=first % known + 1), second) if known else None
        match what:
            case "open":
                ticket = UUID(int=len(self.floor.tickets) + 1)
                self.floor.opened(ticket_id=ticket, priority=first, requester=second)
                action = ("assign", {"ticket": ticket.int, "priority": first, "customer": second})
            case "presence":
                self.floor.presence(first, second)
                action = ("presence", {"agent": first, "presence": second})
            case "capacity":
                presence = self.floor.roster.agents[first].presence
                self.floor.agent(first, capacity=second, presence=presence)
                action = ("capacity", {"agent": first, "capacity": second})
            case "next":
                with suppress(NothingToPull):
                    self.floor.pull(first)
                action = ("next", {"agent": first})
            case _:
                self._wait(first)
                action = ("wait", {})
        return self._said(action[0], **action[1])

    def _about(self, what: str, ticket: UUID, which: Any) -> dict[str, Any] | None:
        match what:
            case "give":
                self.floor.assign(ticket, which)
                return self._said("assign", ticket=ticket.int, agent=which)
            case "unassign":
                self.floor.unassign(ticket)
                return self._said("unassign", ticket=ticket.int)
            case _:
                if self.floor.tickets[ticket].category == which:
                    return None
                self.floor.moved(ticket, StatusCategory(which))
                return self._said("status", ticket=ticket.int, category=which)

    def _wait(self, seconds: int) -> None:
        until = self.floor.now + timedelta(seconds=seconds)
        while self.floor.next_room_at is not None and self.floor.next_room_at <= until:
            self.floor.now = self.floor.next_room_at
            self.floor.sweep()
        self.floor.now = until

    def _said(self, type_: str, **fields: Any) -> dict[str, Any]:
        return {"type": type_, "at": (self.floor.now - START).total_seconds(), **fields}
