"""What rules make of one cause: each in order, each at most once, not too deep, not too often. Pure.

A chain is everything that follows from one command, message, moment or event of another service. In it no rule runs
twice on a ticket, so it ends, whatever the rules are.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import msgspec
from msgspec.structs import replace

from services.intake.domain import notices
from services.intake.domain.actions import changes_of, commands_of
from services.intake.domain.commands import Together
from services.intake.domain.context import Context, Stamps
from services.intake.domain.parts import RULE_RUNS_MAX, RuleRun
from services.intake.domain.rules.book import ReadyRule, RuleBook, starts_of
from services.intake.domain.rules.subject import Owner, Subject
from services.intake.domain.ticket import Ticket, evolve
from shared.errors import Refused
from shared.events import Actor, ActorKind, Channel, Event, StatusCategory
from shared.events.steps import ActionsUndone, RuleApplied, RuleNotApplied
from shared.events.tickets import TicketEvent
from shared.identifiers import new_id

DEPTH_MAX: Final = 5
"""Rules that one after the other start the next one; more is a program that nobody follows."""

HOUR: Final = timedelta(hours=1)

Decided = Callable[[Ticket, Together, Actor, str], list[TicketEvent]]
"""What follows from commands on a ticket, in the name of an actor and because of an event. Raises Refused."""


class RuleFailed(Refused):
    """A fault of ours while a rule's actions were worked out; nothing of them happens."""


class Ground(msgspec.Struct, frozen=True, kw_only=True):
    """On what a chain is played.

    Attributes:
        book: the rules in force.
        decide: what follows from a rule's actions.
        owner: who has the ticket.
        now: the moment (aware UTC).
        correlation_id: of the cause.
    """

    book: RuleBook
    decide: Decided
    owner: Owner
    now: datetime
    correlation_id: str


class _Turn(NamedTuple):
    """A rule whose turn has come. `event`: what started it; None: time did. `after`: rules that led to it."""

    ready: ReadyRule
    event: Event | None
    after: tuple[str, ...]
    anchor_at: datetime | None = None
    due_at: datetime | None = None


def follow(ticket: Ticket, events: Sequence[Event], ground: Ground) -> list[TicketEvent]:
    """What rules make of these events.

    Args:
        ticket: after the events.
        events: of one cause; of intake, routing or sla.
        ground: see there.

    Returns:
        Events to append, in order; none when no rule has anything to change.
    """
    if any(isinstance(event, ActionsUndone) for event in events):
        return []  # whoever takes a step back does not want it done again
    chain = _Chain(ticket, ground)
    for event in events:
        chain.expect(event, _led_to(ticket, event))
    return chain.play()


def follow_time(ticket: Ticket, ground: Ground) -> list[TicketEvent]:
    """What time rules that are due make of the ticket, and other rules of that."""
    chain = _Chain(ticket, ground)
    for ready, anchor_at, due_at in _awaited(ticket, ground.book):
        if due_at <= ground.now:
            chain.begin(_Turn(ready, None, (), anchor_at, due_at))
    return chain.play()


def next_moment(ticket: Ticket, book: RuleBook, now: datetime) -> datetime | None:
    """When time starts a rule on the ticket as it is, which may be past; None: never, unless something happens."""
    subject = Subject(ticket, None, Owner(lambda: (None, None)), now)
    moments = (due_at for ready, _, due_at in _awaited(ticket, book) if ready.may_hold(subject))
    first = min(moments, default=None)
    return None if first is None else _free_at(ticket, first) or first


def look_again(ticket: Ticket, ground: Ground) -> datetime | None:
    """After `follow_time`: when to look next. A rule whose conditions do not hold waits for the ticket to change."""
    waiting: list[datetime] = []
    subject = Subject(ticket, None, ground.owner, ground.now)
    for ready, _, due_at in _awaited(ticket, ground.book):
        if not ready.may_hold(subject):
            continue
        if due_at > ground.now:
            waiting.append(due_at)
        elif ready.holds(subject):
            waiting.append(_free_at(ticket, ground.now) or ground.now)
        elif (again := ready.look_again_at(ground.now)) is not None:
            waiting.append(again)
    return min(waiting, default=None)


class _Chain:
    def __init__(self, ticket: Ticket, ground: Ground) -> None:
        self._ticket = ticket
        self._ground = ground
        self._turns: deque[_Turn] = deque()
        self._started: set[str] = set()
        self._told: set[str] = set()
        self._made: list[TicketEvent] = []
        self._asked: tuple[Event | None, Subject] | None = None

    def expect(self, event: Event, after: tuple[str, ...]) -> None:
        self._started.update(after)
        for ready in self._ground.book.started_by(event):
            self.begin(_Turn(ready, event, after))

    def begin(self, turn: _Turn) -> None:
        self._turns.append(turn)

    def play(self) -> list[TicketEvent]:
        while self._turns:
            self._take(self._turns.popleft())
        return self._made

    def _take(self, turn: _Turn) -> None:
        ready, rule = turn.ready, turn.ready.rule
        if ready.is_spent(self._ticket) or turn.after[-1:] == (rule.id,):
            return  # what a rule has done itself does not start it
        subject = self._subject(turn.event)
        if not ready.holds(subject):
            return
        if rule.id in self._started and not turn.after:
            return  # it had its turn for another event of the same cause
        applied, changes = self._tried(turn, subject)
        if isinstance(applied, RuleApplied) and not changes and turn.event is not None:
            return  # all is so already
        stopped = self._stopped(turn, subject)
        if stopped is not None:
            self._tell(stopped)
            return
        self._started.add(rule.id)
        self._append(applied, *changes)
        for event in changes:
            self.expect(event, (*turn.after, rule.id))

    def _subject(self, event: Event | None) -> Subject:
        """The ticket as it is, in one piece for all rules that look at it in the same state."""
        if self._asked is not None:
            of, subject = self._asked
            if of is event and subject.ticket is self._ticket:
                return subject
        subject = Subject(self._ticket, event, self._ground.owner, self._ground.now)
        self._asked = event, subject
        return subject

    def _tell(self, stopped: RuleNotApplied) -> None:
        """Say that a rule was kept from running, once in a chain; too many of them on a ticket once an hour."""
        is_known = stopped.rule in self._told
        if stopped.why == "rate":
            at = self._ticket.rules_stopped_at
            is_known = at is not None and at > self._ground.now - HOUR
        if not is_known:
            self._told.add(stopped.rule)
            self._append(stopped)

    def _append(self, *events: TicketEvent) -> None:
        for event in events:
            self._ticket = evolve(self._ticket, event)
            self._made.append(event)

    def _stopped(self, turn: _Turn, subject: Subject) -> RuleNotApplied | None:
        """The word of the guard, when it keeps a rule from running."""
        rule = turn.ready.rule
        if rule.id in self._started:
            after = " → ".join(turn.after)
            return self._refusal(
                turn, subject, "loop", f"it ran already for the same cause; {after} led to it again"
            )
        if len(turn.after) >= DEPTH_MAX:
            return self._refusal(
                turn, subject, "depth", f"{DEPTH_MAX} rules led to it: {' → '.join(turn.after)}"
            )
        if _free_at(self._ticket, self._ground.now) is not None:
            return self._refusal(
                turn, subject, "rate", f"{RULE_RUNS_MAX} rules ran on this ticket within an hour"
            )
        return None

    def _tried(
        self, turn: _Turn, subject: Subject
    ) -> tuple[RuleApplied | RuleNotApplied, list[TicketEvent]]:
        """The run, and what it changes; or why the ticket does not allow it. Nothing is kept yet."""
        ready, ground, ticket = turn.ready, self._ground, self._ticket
        actor = self._actor(turn)
        marker = RuleApplied(
            **self._stamps(turn).next(),
            **self._words(turn, subject),
            step_id=new_id(),
            changes=(),
            until_version=ticket.version + 1,
        )
        group_id = ground.owner.group_id if ready.actions.group is not None else None
        commands = commands_of(
            ready.actions, ticket, actor, group_id=group_id, at=ground.now, files=ready.files
        )
        if ready.actions.notify is not None:
            told = notices.request(ready.actions.notify, ticket, actor, ground.owner)
            commands = Together(commands=(*commands.commands, told))
        try:
            changes = ground.decide(evolve(ticket, marker), commands, actor, marker.event_id)
        except Refused as refusal:
            why = "failed" if isinstance(refusal, RuleFailed) else "refused"
            return self._refusal(turn, subject, why, refusal.detail), []
        last = changes[-1].version if changes else marker.version
        return replace(marker, changes=tuple(changes_of(changes)), until_version=last), changes

    def _refusal(self, turn: _Turn, subject: Subject, why: str, reason: str) -> RuleNotApplied:
        return RuleNotApplied(
            **self._stamps(turn).next(), **self._words(turn, subject), why=why, reason=reason
        )

    def _words(self, turn: _Turn, subject: Subject) -> dict[str, Any]:
        starts = starts_of(turn.event) if turn.event is not None else ()
        rule = turn.ready.rule
        return {
            "rule": rule.id,
            "rules_version": self._ground.book.version,
            "title": rule.title,
            "cause": next((one for one in starts if one in rule.events), "time"),
            "conditions": turn.ready.seen(subject),
            "after": turn.after,
            "anchor_at": turn.anchor_at,
            "due_at": turn.due_at,
        }

    def _stamps(self, turn: _Turn) -> Stamps:
        ground = self._ground
        context = Context(
            actor=self._actor(turn),
            via=Channel.SYSTEM,
            correlation_id=ground.correlation_id,
            recorded_at=ground.now,
            causation_id=None if turn.event is None else turn.event.event_id,
        )
        return Stamps(self._ticket.id, self._ticket.version, context, ground.now)

    def _actor(self, turn: _Turn) -> Actor:
        rule = turn.ready.rule
        name = f"rule:{rule.id}@{self._ground.book.version}"
        return Actor(kind=ActorKind.SYSTEM, id=name, name=rule.title)


def _awaited(ticket: Ticket, book: RuleBook) -> Iterator[tuple[ReadyRule, datetime, datetime]]:
    """The time rules that have their turn to come, each with the moment it counts from and the one when it is due.

    Time leaves a closed ticket alone, which would refuse nearly everything, and imported history.
    """
    if ticket.category is StatusCategory.CLOSED or ticket.is_imported:
        return
    for ready in book.timed:
        anchor_at = ready.anchor(ticket)
        due_at = None if anchor_at is None else ready.due_at(anchor_at)
        if anchor_at is not None and due_at is not None:
            yield ready, anchor_at, due_at


def _led_to(ticket: Ticket, event: Event) -> tuple[str, ...]:
    """The rules whose changes made another service say this, if any did."""
    cause = event.causation_id
    prefix = f"intake:{ticket.id}:"
    if event.stream_id == ticket.id and event.OWNER == "intake":
        return ()
    if cause is None or not cause.startswith(prefix):
        return ()
    version = int(cause.removeprefix(prefix))
    run = next((one for one in ticket.rule_runs if one.version < version <= one.until), None)
    return () if run is None else (*run.after, run.rule)


def _free_at(ticket: Ticket, now: datetime) -> datetime | None:
    """When another rule may run, if too many ran within the last hour."""
    runs: tuple[RuleRun, ...] = ticket.rule_runs
    if len(runs) < RULE_RUNS_MAX or runs[0].at <= now - HOUR:
        return None
    return runs[0].at + HOUR
