"""Rules on trial: what they would have done in a ticket's real history, each event and moment as it was. Pure."""

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from services.intake.domain.rules.book import RuleBook
from services.intake.domain.rules.chain import Decided, Ground, follow, follow_time, look_again
from services.intake.domain.rules.subject import Owner
from services.intake.domain.ticket import Ticket, evolve
from shared.events import Channel
from shared.events.steps import ConditionSeen, RuleApplied, RuleNotApplied
from shared.events.tickets import TicketEvent

MOMENTS_MAX: Final = 20
"""Moments of time rules that are looked at between two events of one ticket."""


class WouldRun(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A rule that would have had its turn.

    Attributes:
        at: when. `cause`: what would have started it.
        outcome: `applied`, or why not (`refused`, `loop`, `depth`, `rate`).
        changes: what it would have changed; not what really followed.
    """

    at: datetime
    rule: str
    title: str
    cause: str
    outcome: str
    conditions: tuple[ConditionSeen, ...] = ()
    changes: tuple[dict[str, Any], ...] = ()
    after: tuple[str, ...] = ()
    reason: str | None = None


def replay(
    history: Sequence[TicketEvent], book: RuleBook, decide: Decided, owner: Owner, now: datetime
) -> list[WouldRun]:
    """What the rules would have done to this ticket until now, in order.

    Every act is judged on the ticket as it really was then. What rules would have changed is not carried on; that they
    have run is, so that `once`, the pace of rules and the turns of time rules count. What rules really did is no act.
    """
    told: list[WouldRun] = []
    ticket: Ticket | None = None
    trial: Ticket | None = None  # what the trial itself remembers of runs
    for act, following in pairwise([*_acts(history), None]):
        assert act is not None, "only the last one is none"
        ticket = _remembering(_after(ticket, act.events), trial)
        ground = Ground(
            book=book,
            decide=decide,
            owner=owner,
            now=act.events[-1].occurred_at,
            correlation_id=act.events[0].correlation_id,
        )
        if not ticket.is_imported and act.events[0].via is not Channel.IMPORT:
            trial = _played(ticket, follow(ticket, act.events, ground), told)
        ticket = _remembering(_after(ticket, act.by_rules), trial)
        until = now if following is None else following.events[0].occurred_at
        trial = ticket = _time_passes(ticket, ground, until, told)
    return told


def _after(ticket: Ticket | None, events: Sequence[TicketEvent]) -> Ticket:
    for event in events:
        ticket = evolve(ticket, event)
    assert ticket is not None, "a history begins with the opening"
    return ticket


def _time_passes(ticket: Ticket, ground: Ground, until: datetime, told: list[WouldRun]) -> Ticket:
    for _ in range(MOMENTS_MAX):
        moment = look_again(ticket, ground)
        if moment is None or moment > until:
            break
        ground = replace(ground, now=max(moment, ground.now))
        ticket = _remembering(ticket, _played(ticket, follow_time(ticket, ground), told))
    return ticket


class _Act(msgspec.Struct):
    """Events of one transaction and cause, and what rules really made of them."""

    events: list[TicketEvent]
    by_rules: list[TicketEvent] = []


def _acts(history: Sequence[TicketEvent]) -> list[_Act]:
    acts: list[_Act] = []
    by_rules: set[str] = set()
    for event in history:
        if isinstance(event, RuleApplied | RuleNotApplied) or event.causation_id in by_rules:
            by_rules.add(event.event_id)
            acts[-1].by_rules.append(event)
            continue
        cause = (event.recorded_at, event.correlation_id)
        first = acts[-1].events[0] if acts else None
        if first is not None and (first.recorded_at, first.correlation_id) == cause:
            acts[-1].events.append(event)
        else:
            acts.append(_Act([event]))
    return acts


def _played(ticket: Ticket, made: Sequence[TicketEvent], told: list[WouldRun]) -> Ticket:
    """The ticket as it would be; what rules did is told."""
    for event in made:
        ticket = evolve(ticket, event)
        if isinstance(event, RuleApplied | RuleNotApplied):
            told.append(_told(event))
    return ticket


def _told(event: RuleApplied | RuleNotApplied) -> WouldRun:
    told = WouldRun(
        at=event.occurred_at,
        rule=event.rule,
        title=event.title,
        cause=event.cause,
        outcome="applied",
        conditions=event.conditions,
        after=event.after,
    )
    if isinstance(event, RuleNotApplied):
        return replace(told, outcome=event.why, reason=event.reason)
    return replace(told, changes=event.changes)


def _remembering(ticket: Ticket, trial: Ticket | None) -> Ticket:
    """The real ticket with the runs of the trial in place of the real ones."""
    return replace(
        ticket,
        rule_runs=trial.rule_runs if trial else (),
        rules_done=trial.rules_done if trial else {},
        rules_stopped_at=trial.rules_stopped_at if trial else None,
    )
