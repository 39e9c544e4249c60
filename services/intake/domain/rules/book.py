"""A rule set made ready for asking: which rules an event starts, what each sees, when time starts one."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from services.intake.domain.actions import Answer
from services.intake.domain.rules.document import Rule, RuleSet, Since
from services.intake.domain.rules.subject import OF_OWNER, VOCABULARY, Subject
from services.intake.domain.ticket import Ticket
from shared.calendar import Calendar, NoOpenTime
from shared.conditions import HOURS, Test, compile_condition, describe
from shared.events import Event
from shared.events.assignments import GroupChanged, TicketAssigned, TicketUnassigned
from shared.events.conditions import Condition
from shared.events.satisfaction import SatisfactionRated
from shared.events.sla import SlaBreached, SlaWarning
from shared.events.steps import ConditionSeen
from shared.events.tickets import (
    AgentReplied,
    CustomerReplied,
    FieldsChanged,
    MergeReceived,
    NoteAdded,
    PriorityChanged,
    StatusChanged,
    SubjectChanged,
    TagsChanged,
    TicketClosed,
    TicketMerged,
    TicketOpened,
    TicketReopened,
    TicketResolved,
    TypeChanged,
)

SEEN_CHARACTERS_MAX: Final = 200
"""Of a text that a condition saw, so much stands in the event that explains the run."""

LOOK_AGAIN: Final = timedelta(minutes=15)
"""A rule that waits for closing time is looked at again after so long."""

_STARTS: Final[Mapping[type[Event], tuple[str, ...]]] = {
    TicketOpened: ("opened",),
    CustomerReplied: ("customer_replied",),
    AgentReplied: ("agent_replied",),
    NoteAdded: ("note_added",),
    StatusChanged: ("status_changed",),
    TicketResolved: ("solved", "status_changed"),
    TicketClosed: ("closed", "status_changed"),
    TicketReopened: ("reopened", "status_changed"),
    PriorityChanged: ("priority_changed",),
    TypeChanged: ("type_changed",),
    SubjectChanged: ("subject_changed",),
    FieldsChanged: ("fields_changed",),
    TagsChanged: ("tags_changed",),
    SatisfactionRated: ("rated",),
    TicketMerged: ("merged",),
    MergeReceived: ("merge_received",),
    GroupChanged: ("group_changed",),
    TicketAssigned: ("assigned",),
    TicketUnassigned: ("unassigned",),
    SlaWarning: ("sla_warning",),
    SlaBreached: ("sla_breached",),
}

_ANCHORS: Final[Mapping[Since, Any]] = {
    "created": lambda ticket: ticket.opened_at,
    "first_reply": lambda ticket: ticket.first_answer_at,
    "last_agent_reply": lambda ticket: ticket.last_answer.at if ticket.last_answer else None,
    "last_customer_reply": lambda ticket: ticket.customer_wrote_at,
    "last_reply": lambda ticket: max(
        (
            at
            for at in (
                ticket.last_answer.at if ticket.last_answer else None,
                ticket.customer_wrote_at,
            )
            if at is not None
        ),
        default=None,
    ),
    "solved": lambda ticket: ticket.solved_at,
}


def starts_of(event: Event) -> tuple[str, ...]:
    """What the event is to rules. A robot's word, a thank-you and a message that was only moved start none."""
    match event:
        case AgentReplied() if event.is_automatic or event.copied is not None:
            return ()
        case CustomerReplied() if event.courtesy is not None or event.copied is not None:
            return ()
        case NoteAdded() if event.copied is not None:
            return ()
        case _:
            return _STARTS.get(type(event), ())


class ReadyRule:
    """One rule, compiled.

    Args:
        rule: without faults.
        answer: the prepared text that it names, if it does.
        calendars: by id.
    """

    def __init__(
        self, rule: Rule, answer: Answer | None, calendars: Mapping[str, Calendar]
    ) -> None:
        self.rule = rule
        self.actions = rule.actions.with_answer(answer)
        self.files = answer.files if answer else ()
        self._conditions = [one.plain() for one in rule.when]
        self._fields = [_fields_of(one) for one in self._conditions]
        asked = frozenset[str]().union(*self._fields)
        self._calendars = [
            calendars[name.removeprefix(HOURS)]
            for name in sorted(asked)
            if name.startswith(HOURS) and name.removeprefix(HOURS) in calendars
        ]
        open_at = {name: calendar.is_open for name, calendar in calendars.items()}
        self._tests = [compile_condition(one, VOCABULARY, open_at) for one in self._conditions]
        unknown = frozenset(name for name in asked if name in OF_OWNER or name.startswith(HOURS))
        self._may_hold: list[Test] = [
            compile_condition(one, VOCABULARY, open_at, unknown=unknown, assume=True)
            for one in self._conditions
        ]
        self.asks_owner = not asked.isdisjoint(OF_OWNER)
        self._calendar = (
            calendars.get(rule.after.calendar) if rule.after and rule.after.calendar else None
        )

    def holds(self, subject: Subject) -> bool:
        """Whether all its conditions do."""
        return all(test(subject) for test in self._tests)

    def seen(self, subject: Subject) -> tuple[ConditionSeen, ...]:
        """Its conditions in words, with what they see."""
        return tuple(
            ConditionSeen(
                describe((condition,)),
                {name: _shown(subject, name) for name in sorted(fields)},
            )
            for condition, fields in zip(self._conditions, self._fields, strict=True)
        )

    def is_spent(self, ticket: Ticket) -> bool:
        """Whether it may run once only, and has."""
        return self.rule.once and self.rule.id in ticket.rules_done

    def anchor(self, ticket: Ticket) -> datetime | None:
        """The moment that a time rule counts from; None when there is none, or it has had its turn for it."""
        assert self.rule.after is not None, "only a time rule has one"
        at: datetime | None = _ANCHORS[self.rule.after.since](ticket)
        if at is None or self.is_spent(ticket) or ticket.rules_done.get(self.rule.id) == at:
            return None
        return at

    def due_at(self, anchor_at: datetime) -> datetime | None:
        """When its time is over; None: never, by a calendar that opens too little."""
        assert self.rule.after is not None, "only a time rule has one"
        seconds = self.rule.after.total_seconds
        if self._calendar is None:
            return anchor_at + timedelta(seconds=seconds)
        try:
            return self._calendar.add(anchor_at, seconds)
        except NoOpenTime:
            return None

    def may_hold(self, subject: Subject) -> bool:
        """Whether its conditions hold, or would with another owner or at another hour."""
        return all(test(subject) for test in self._may_hold)

    def look_again_at(self, now: datetime) -> datetime | None:
        """When business hours may say otherwise than they do now; None when it asks none."""
        moments = [
            now + LOOK_AGAIN if calendar.is_open(now) else calendar.add(now, 0)
            for calendar in self._calendars
        ]
        return min(moments, default=None)


class RuleBook:
    """All rules in force.

    Args:
        rule_set: without faults.
        version: of its document.
        calendars: by id.
        answers: the prepared texts that the rules write, by name; a rule whose text is gone is left out.
    """

    def __init__(
        self,
        rule_set: RuleSet,
        version: int,
        calendars: Mapping[str, Calendar],
        answers: Mapping[str, Answer],
    ) -> None:
        self.version = version
        self.unusable: tuple[str, ...] = ()
        self._on: dict[str, list[ReadyRule]] = {}
        timed: list[ReadyRule] = []
        for rule in rule_set.rules:
            if not rule.is_enabled:
                continue
            named = rule.actions.answer
            if named is not None and named not in answers:
                self.unusable += (rule.id,)
                continue
            ready = ReadyRule(rule, None if named is None else answers[named], calendars)
            for trigger in rule.events:
                self._on.setdefault(trigger, []).append(ready)
            if rule.after is not None:
                timed.append(ready)
        self.timed = tuple(timed)
        self._asks_owner_by_time = any(one.asks_owner for one in timed)

    def started_by(self, event: Event) -> Sequence[ReadyRule]:
        """The rules that the event starts, in order, each once."""
        triggers = starts_of(event)
        if len(triggers) < 2:  # noqa: PLR2004 - the usual case needs no merging
            return self._on.get(triggers[0], ()) if triggers else ()
        found = [one for trigger in triggers for one in self._on.get(trigger, ())]
        order = {id(one): place for place, one in enumerate(dict.fromkeys(found))}
        return sorted(dict.fromkeys(found), key=lambda one: order[id(one)])

    def concerns(self, event: Event) -> bool:
        """Whether it starts any rule, or tells a time rule whose the ticket is."""
        if any(trigger in self._on for trigger in starts_of(event)):
            return True
        is_of_owner = isinstance(event, GroupChanged | TicketAssigned | TicketUnassigned)
        return is_of_owner and self._asks_owner_by_time


def _fields_of(condition: Condition) -> frozenset[str]:
    parts = (*condition.all, *condition.any, *condition.none)
    if not parts:
        return frozenset(VOCABULARY.combined.get(condition.field, (condition.field,)))
    return frozenset[str]().union(*map(_fields_of, parts))


def _shown(subject: Subject, field: str) -> Any:
    """A value for people and JSON: long texts cut, an ordered one in its word."""
    if field.startswith(HOURS):
        return None if subject.at is None else subject.at.isoformat()
    value = subject.look(field)
    if field in VOCABULARY.ordered:
        return next(word for word, rank in VOCABULARY.ordered[field].items() if rank == value)
    if isinstance(value, str) and len(value) > SEEN_CHARACTERS_MAX:
        return value[:SEEN_CHARACTERS_MAX] + "…"
    return list(value) if isinstance(value, tuple) else value
