"""The rule set as people write it: one ordered document, checked as a whole."""

from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from services.intake.domain import limits
from services.intake.domain.actions import Actions
from services.intake.domain.rules.subject import OF_EVENT, VOCABULARY
from shared.conditions import ConditionBody, Shape, asks_of, condition_faults, describe
from shared.errors import FieldError, Invalid
from shared.identifiers import is_slug

Trigger = Literal[
    "opened",
    "customer_replied",
    "agent_replied",
    "note_added",
    "status_changed",
    "solved",
    "closed",
    "reopened",
    "priority_changed",
    "type_changed",
    "subject_changed",
    "fields_changed",
    "tags_changed",
    "rated",
    "merged",
    "merge_received",
    "group_changed",
    "assigned",
    "unassigned",
    "sla_warning",
    "sla_breached",
]
"""What can start a rule. `status_changed` also when it is solved, closed or reopened; `merged`: into another ticket;
`rated`: the customer said what they think of the solution."""

Since = Literal[
    "created", "first_reply", "last_agent_reply", "last_customer_reply", "last_reply", "solved"
]
"""From when a time rule counts. Replies are those of people; an opening message of the customer is one."""

RULES_MAX: Final = 200
"""Each event of a ticket is compared with every rule for it, in the transaction that stores it."""

DOCUMENT_BYTES_MAX: Final = 200_000
"""The event of a change carries the rule set before and after it."""

WAIT_MAX: Final = timedelta(days=366)
"""A rule that waits for longer is forgotten before it runs."""

_Line = Annotated[str, Meta(pattern=r"^[^\r\n]*\S[^\r\n]*$", max_length=limits.NAME_CHARS_MAX)]
_Count = Annotated[int, Meta(ge=1)]


class After(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How long after what: one of `seconds`, `minutes`, `hours`, `days`.

    `calendar`: only its open time counts (not with `days`, which are of 24 hours).
    """

    since: Since
    seconds: _Count | None = None
    minutes: _Count | None = None
    hours: _Count | None = None
    days: _Count | None = None
    calendar: str | None = None

    @property
    def total_seconds(self) -> int:
        """The length of the wait."""
        return (
            (self.seconds or 0)
            + (self.minutes or 0) * 60
            + (self.hours or 0) * 3_600
            + (self.days or 0) * 86_400
        )

    def faults(self, path: str, calendars: Collection[str]) -> Iterator[FieldError]:
        """What is wrong with it."""
        said = [one for one in (self.seconds, self.minutes, self.hours, self.days) if one]
        if len(said) != 1:
            yield FieldError(path, "say one of seconds, minutes, hours, days")
        elif self.total_seconds > WAIT_MAX.total_seconds():
            yield FieldError(path, f"at most {WAIT_MAX.days} days")
        if self.calendar is None:
            return
        if self.days is not None:
            yield FieldError(f"{path}.days", "are of 24 hours; with a calendar say hours")
        if self.calendar not in calendars:
            yield FieldError(f"{path}.calendar", f"there is no calendar {self.calendar[:64]!r}")


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """When one of `events` happens, or `after` has passed, and all `when` hold: `actions`.

    Attributes:
        id: a short name; events and the actor of its changes carry it.
        once: at most once in a ticket's life. A time rule runs at most once for each moment that it counts from.
        is_enabled: a rule that is not is kept and not asked.
    """

    id: str
    title: _Line
    actions: Actions
    events: tuple[Trigger, ...] = ()
    after: After | None = None
    when: tuple[ConditionBody, ...] = ()
    once: bool = False
    is_enabled: bool = True
    note: Annotated[str, Meta(max_length=limits.REASON_CHARS_MAX)] = ""


class Known(msgspec.Struct, frozen=True):
    """What exists, so that a rule can only name that: custom fields, calendars, prepared texts."""

    fields: Mapping[str, Any]
    calendars: Collection[str]
    answers: Collection[str]


class RuleSet(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The rules, in the order in which they are asked; each sees what those before it have changed."""

    rules: Annotated[tuple[Rule, ...], Meta(max_length=RULES_MAX)] = ()

    def check(self, known: Known) -> None:
        """Raises Invalid naming everything that is wrong, by its path."""
        wrong: list[FieldError] = []
        seen: set[str] = set()
        for place, rule in enumerate(self.rules):
            path = f"rules[{place}]"
            if not is_slug(rule.id):
                wrong.append(FieldError(f"{path}.id", "must match [a-z0-9][a-z0-9._-]{0,63}"))
            elif rule.id in seen:
                wrong.append(FieldError(f"{path}.id", f"{rule.id!r} is used twice"))
            seen.add(rule.id)
            wrong += [
                FieldError(fault.field, f"rule {rule.id[:64]!r}: {fault.message}")
                for fault in _faults(rule, path, known)
            ]
        if not wrong and len(msgspec.json.encode(self)) > DOCUMENT_BYTES_MAX:
            wrong.append(FieldError("rules", f"at most {DOCUMENT_BYTES_MAX} bytes together"))
        if wrong:
            raise Invalid("The rules cannot be used.", errors=wrong)

    @property
    def answers(self) -> frozenset[str]:
        """The prepared texts that the rules write."""
        return frozenset(one.actions.answer for one in self.rules if one.actions.answer)


def _faults(rule: Rule, path: str, known: Known) -> Iterator[FieldError]:
    if bool(rule.events) is (rule.after is not None):
        yield FieldError(path, "starts on `events`, or `after` a time: one of both")
    if len(set(rule.events)) != len(rule.events):
        yield FieldError(f"{path}.events", "each once")
    if rule.after is not None:
        yield from rule.after.faults(f"{path}.after", known.calendars)
    when = [one.plain() for one in rule.when]
    wrong = list(
        condition_faults(when, f"{path}.when", VOCABULARY, words={}, calendars=known.calendars)
    )
    if rule.after is not None:
        wrong += [
            FieldError(f"{path}.when[{place}]", "asks about an event, and time is none")
            for place, one in enumerate(when)
            if asks_of(one, OF_EVENT)
        ]
    if not wrong and (pair := Shape(when, VOCABULARY).contradiction) is not None:
        wrong.append(FieldError(f"{path}.when", f"can never hold: {describe(pair)}"))
    yield from wrong
    yield from rule.actions.faults(known.fields, f"{path}.actions")
    if rule.actions.answer is not None and rule.actions.answer not in known.answers:
        name = rule.actions.answer
        yield FieldError(f"{path}.actions.answer", f"there is no prepared text {name!r}")
