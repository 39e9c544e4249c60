"""The metrics as data: what starts, stops, pauses and ends each clock.

A metric of the field that fits these words is added here as a line, without touching the fold.
Pausing categories are defaults; a policy may replace them per metric (S6).
"""

from enum import Enum

import msgspec


class Signal(Enum):
    """What a fact says, after the ticket's state has been asked."""

    CREATED = "created"
    CREATED_INBOUND = "created_inbound"
    CUSTOMER_SPOKE = "customer_spoke"
    CUSTOMER_WAITS_AGAIN = "customer_waits_again"  # reopened by the customer, or merged in
    AGENT_SPOKE = "agent_spoke"  # public, human, not the requester (S1)
    SOLVED = "solved"
    CLOSED = "closed"
    REOPENED = "reopened"
    ASSIGNED = "assigned"
    GROUP_ENTERED = "group_entered"
    GROUP_LEFT = "group_left"


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """One promise: signals that start, meet, end and resume its clock.

    `repeats`: every start after an end is a new cycle (else there is one, S14 apart).
    `after_first_reply`: starts only once the first reply is not awaited any more (S2), unless the
    policy says that it starts at the first message. A start signal while the clock is open says
    nothing. `counts_gap`: the time between solved and reopened counts as elapsed.
    """

    name: str
    starts: frozenset[Signal]
    stops: frozenset[Signal]
    cancels: frozenset[Signal] = frozenset()
    resumes: frozenset[Signal] = frozenset()
    pauses: frozenset[str] = frozenset()
    repeats: bool = False
    after_first_reply: bool = False
    counts_gap: bool = False


FIRST_REPLY, NEXT_REPLY, RESOLUTION = "first_reply", "next_reply", "resolution"

_ENDS = frozenset({Signal.SOLVED, Signal.CLOSED})
_SOLVED = frozenset({"solved"})
# Reply promises stand still while the ticket is solved: nobody is paged about finished work, and
# the time before counts again after a reopening. Pending and hold never pause them (S6).

_METRICS = (
    Metric(
        name=FIRST_REPLY,
        starts=frozenset({Signal.CREATED_INBOUND}),
        stops=frozenset({Signal.AGENT_SPOKE}),
        cancels=frozenset({Signal.CLOSED}),
        pauses=_SOLVED,
    ),
    Metric(
        name=NEXT_REPLY,
        starts=frozenset({Signal.CUSTOMER_SPOKE, Signal.CUSTOMER_WAITS_AGAIN}),
        stops=frozenset({Signal.AGENT_SPOKE}),
        cancels=frozenset({Signal.CLOSED}),
        pauses=_SOLVED,
        repeats=True,
        after_first_reply=True,
    ),
    Metric(
        name=RESOLUTION,
        starts=frozenset({Signal.CREATED}),
        stops=frozenset({Signal.SOLVED}),
        cancels=frozenset({Signal.CLOSED}),
        resumes=frozenset({Signal.REOPENED}),
        pauses=frozenset({"pending", "hold"}),
    ),
    Metric(
        name="total_resolution",
        starts=frozenset({Signal.CREATED}),
        stops=frozenset({Signal.SOLVED}),
        cancels=frozenset({Signal.CLOSED}),
        resumes=frozenset({Signal.REOPENED}),
        counts_gap=True,
    ),
    Metric(
        name="first_resolution",
        starts=frozenset({Signal.CREATED}),
        stops=frozenset({Signal.SOLVED}),
        cancels=frozenset({Signal.CLOSED}),
    ),
    Metric(
        name="requester_wait",
        starts=frozenset({Signal.CREATED}),
        stops=frozenset({Signal.SOLVED}),
        cancels=frozenset({Signal.CLOSED}),
        resumes=frozenset({Signal.REOPENED}),
        pauses=frozenset({"answered", "pending"}),
    ),
    Metric(
        name="agent_work",
        starts=frozenset({Signal.CREATED}),
        stops=frozenset({Signal.SOLVED}),
        cancels=frozenset({Signal.CLOSED}),
        resumes=frozenset({Signal.REOPENED}),
        pauses=frozenset({"answered", "pending", "hold", "postponed"}),
    ),
    Metric(
        name="periodic_update",
        starts=frozenset({Signal.AGENT_SPOKE, Signal.REOPENED}),
        stops=frozenset({Signal.AGENT_SPOKE}),
        cancels=_ENDS,
        repeats=True,
    ),
    Metric(
        name="pausable_update",
        starts=frozenset({Signal.AGENT_SPOKE, Signal.REOPENED}),
        stops=frozenset({Signal.AGENT_SPOKE}),
        cancels=_ENDS,
        pauses=frozenset({"pending"}),
        repeats=True,
    ),
    Metric(
        name="group_ownership",
        starts=frozenset({Signal.GROUP_ENTERED}),
        stops=frozenset({Signal.GROUP_LEFT, Signal.SOLVED}),
        cancels=frozenset({Signal.CLOSED}),
        repeats=True,
    ),
    Metric(
        name="first_assign",
        starts=frozenset({Signal.CREATED}),
        stops=frozenset({Signal.ASSIGNED}),
        cancels=_ENDS,
    ),
    Metric(
        name="speed_of_answer",
        starts=frozenset({Signal.CREATED_INBOUND}),
        stops=frozenset({Signal.ASSIGNED, Signal.AGENT_SPOKE}),
        cancels=_ENDS,
    ),
)

METRICS: dict[str, Metric] = {metric.name: metric for metric in _METRICS}
"""Every known metric by name, in the order in which outcomes of one instant are told."""

ALWAYS_TRACKED = (FIRST_REPLY, NEXT_REPLY, RESOLUTION)
"""Followed even while no policy has a target for them, so that one can be applied later (S13)."""
