"""A backtest's figures: what happened, what the model makes of the rules in force, and of the rules on trial."""

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from services.routing.domain.backtest.material import Material, PastTicket
from services.routing.domain.backtest.replay import Replay, Replayed
from services.routing.domain.backtest.script import script_of
from services.routing.domain.rules.conditions import OF_BODY
from shared.conditions import asks_of
from shared.events.agents import Presence, RoutingRule, RuleMode
from shared.events.base import Channel

WARM_SHARE: Final = 4
WARM_DAYS_MAX: Final = 1
"""A day, or a quarter of a shorter window, is played and not counted: what lay on the desks before is not known."""

NOTES: Final = (
    "Compare the two replays with each other. What happened is beside them to show how near the model is.",
    "How long somebody works at a ticket is taken from the past, whoever gets it; another may be faster or slower.",
    "The desks are empty when the window begins; its first part is played and not counted.",
    "Groups, capacity units and shifts are those of now; agents' profiles and presence are those of then.",
    "What people gave or took by hand happens at the same moment again, unless routing was faster.",
    "Offers are accepted at once.",
    "The queue's order goes by the deadlines as they were; what is kept and broken is judged anew.",
    "A ticket still waiting at the end counts as if its wait had ended there.",
)


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """One telling of the window.

    Attributes:
        tickets: counted. `assigned`: of them. `waiting`: nobody had them at the end. `unrouted`: no group.
        wait_p50, wait_p90, wait_p99: until the first agent had it, in seconds.
        tickets_per_agent: least, median, most, of everybody who was online at some time or got a ticket.
        load_spread: standard deviation of tickets per agent over their mean; 0 is perfectly even.
        by_group: tickets that each group got.
    """

    tickets: int
    assigned: int
    waiting: int
    unrouted: int
    wait_p50: float
    wait_p90: float
    wait_p99: float
    tickets_per_agent: tuple[int, float, int]
    load_spread: float
    by_group: dict[str, int]


class Backtest(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it.

    Attributes:
        recorded: what happened, as far as it was recorded (groups are not).
        current: the model under the rules in force at the window's end. `wanted`: under the rules on trial.
        same_agent_share: of the tickets that both gave to an agent, how many got the same one as in the past (current).
        moved: tickets that go to another group: group now → group then → how many.
        left_out: tickets of the window that could not be replayed, by reason.
    """

    since: datetime
    counted_from: datetime
    until: datetime
    recorded: Figures
    current: Figures
    wanted: Figures
    same_agent_share: float | None
    moved: dict[str, dict[str, int]]
    left_out: dict[str, int]
    notes: tuple[str, ...]


class Played(msgspec.Struct, frozen=True, kw_only=True):
    """The window, played twice.

    Attributes:
        material: without the tickets that cannot be replayed. `left_out`: those, by reason.
        rules: on trial.
        current: what the rules in force came to. `wanted`: what those on trial did.
        counted: the tickets that came after the warm-up.
    """

    material: Material
    left_out: dict[str, int]
    rules: tuple[RoutingRule, ...]
    current: Replayed
    wanted: Replayed
    counted_from: datetime
    counted: tuple[PastTicket, ...]


def play(material: Material, wanted: tuple[RoutingRule, ...], mode: RuleMode) -> Played:
    """Play the window twice; the same material and rules always come to the same."""
    kept, left_out = _playable(material.tickets)
    material = msgspec.structs.replace(material, tickets=kept)
    setting = material.setting
    warm = min((setting.until - setting.since) / WARM_SHARE, timedelta(days=WARM_DAYS_MAX))
    counted_from = setting.since + warm
    return Played(
        material=material,
        left_out=left_out,
        rules=wanted,
        current=Replay(material, setting.rules, setting.mode).run(),
        wanted=Replay(material, wanted, mode).run(),
        counted_from=counted_from,
        counted=tuple(ticket for ticket in kept if ticket.opened_at >= counted_from),
    )


def compare(played: Played) -> Backtest:
    """What is different, in figures."""
    setting, counted = played.material.setting, played.counted
    there = _there(played.material)
    notes = list(NOTES)
    if any(asks_of(one, OF_BODY) for rule in (*setting.rules, *played.rules) for one in rule.when):
        notes.append("Messages are not kept: conditions on their words are taken not to hold.")
    return Backtest(
        since=setting.since,
        counted_from=played.counted_from,
        until=setting.until,
        recorded=_recorded(counted, setting.until, there),
        current=_figures(counted, played.current, setting.until, there),
        wanted=_figures(counted, played.wanted, setting.until, there),
        same_agent_share=_same(counted, played.current),
        moved=_moved(counted, played.current, played.wanted),
        left_out=played.left_out,
        notes=tuple(notes),
    )


def _playable(tickets: Iterable[PastTicket]) -> tuple[tuple[PastTicket, ...], dict[str, int]]:
    kept, left_out = [], Counter[str]()
    for ticket in tickets:
        if ticket.facts.channel == Channel.IMPORT:
            left_out["imported"] += 1
        elif not ticket.trail:
            left_out["before trails were kept"] += 1
        else:
            kept.append(ticket)
    return tuple(kept), dict(left_out)


def _there(material: Material) -> frozenset[str]:
    """Who was online at some time: whoever got nothing although they were there belongs to the spread."""
    then = {one.agent_id for one in material.setting.agents if one.presence is Presence.ONLINE}
    came = {one.agent_id for one in material.moments if one.presence is Presence.ONLINE}
    return frozenset(then | came)


def _recorded(tickets: Sequence[PastTicket], until: datetime, there: frozenset[str]) -> Figures:
    told = Replayed(waits={}, given={}, alone=set())
    for ticket in tickets:
        script, name = script_of(ticket), ticket.ticket_id
        told.waits[name] = None if script.waited is None else script.waited.total_seconds()
        told.given[name] = tuple(one.agent_id for one in ticket.handed)
        if script.waited is None and script.spans and script.spans[0].alone is not None:
            told.alone.add(name)
    return _figures(tickets, told, until, there)


def _figures(
    tickets: Sequence[PastTicket], told: Replayed, until: datetime, there: frozenset[str]
) -> Figures:
    waits = []
    assigned = waiting = 0
    for ticket in tickets:
        wait = told.waits.get(ticket.ticket_id)
        assigned += wait is not None
        if ticket.ticket_id not in told.alone:
            waiting += wait is None
            open_for = (until - ticket.opened_at).total_seconds()
            waits.append(open_for if wait is None else wait)
    given = Counter(agent for ticket in tickets for agent in told.given.get(ticket.ticket_id, ()))
    counts = sorted(given[agent] for agent in {*there, *given})
    mean = statistics.fmean(counts) if counts else 0.0
    groups = Counter(told.groups.get(ticket.ticket_id) or "-" for ticket in tickets)
    return Figures(
        tickets=len(tickets),
        assigned=assigned,
        waiting=waiting,
        unrouted=groups["-"] if told.groups else 0,
        wait_p50=_percentile(waits, 0.5),
        wait_p90=_percentile(waits, 0.9),
        wait_p99=_percentile(waits, 0.99),
        tickets_per_agent=(counts[0], statistics.median(counts), counts[-1])
        if counts
        else (0, 0.0, 0),
        load_spread=statistics.pstdev(counts) / mean if mean else 0.0,
        by_group=dict(sorted(groups.items())) if told.groups else {},
    )


def _percentile(values: Sequence[float], share: float) -> float:
    """Nearest rank; 0 without values."""
    if not values:
        return 0.0
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def _same(tickets: Sequence[PastTicket], told: Replayed) -> float | None:
    both = [
        ticket.handed[0].agent_id == told.agents[ticket.ticket_id]
        for ticket in tickets
        if ticket.handed and ticket.ticket_id in told.agents
    ]
    return sum(both) / len(both) if both else None


def _moved(
    tickets: Sequence[PastTicket], now: Replayed, then: Replayed
) -> dict[str, dict[str, int]]:
    found: dict[str, Counter[str]] = {}
    for ticket in tickets:
        before = now.groups.get(ticket.ticket_id) or "-"
        after = then.groups.get(ticket.ticket_id) or "-"
        if before != after:
            found.setdefault(before, Counter())[after] += 1
    plain: Mapping[str, Counter[str]] = dict(sorted(found.items()))
    return {group: dict(sorted(counts.items())) for group, counts in plain.items()}
