"""What conditions of policies may ask of a ticket: the one language of conditions, with the engine's own words."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from services.sla.engine.facts import CATEGORIES, PRIORITIES
from services.sla.engine.state import State
from shared import conditions
from shared.calendar import FieldError
from shared.conditions import HOURS, OpenAt, Test, Vocabulary, compile_condition, condition_faults
from shared.events.conditions import Condition

_RANKS: Final[Mapping[str, int]] = {priority: rank for rank, priority in enumerate(PRIORITIES)}

VOCABULARY: Final = Vocabulary(
    fields=(
        *("channel", "type", "tags", "language", "group", "assignee", "priority", "category"),
        *("requester.id", "requester.organization", "requester.tier"),
    ),
    closed={"priority": PRIORITIES, "category": CATEGORIES},
    ordered={"priority": _RANKS},
    single=frozenset(
        {
            *("type", "language", "group", "assignee"),
            *("requester.id", "requester.organization", "requester.tier"),
        }
    ),
)
"""`hours.<calendar>` asks whether it was open when the ticket came: an edit by day does not change what was promised
by night."""

_ABSENCE: Final = {"present": True, "absent": False}
"""Words of older documents for `exists`."""


class Question(conditions.Question):
    """A ticket as conditions see it.

    Args:
        state: of the ticket.
        came_at: what `hours.<calendar>` asks about.
    """

    __slots__ = ("_state",)

    def __init__(self, state: State, came_at: datetime) -> None:
        super().__init__(came_at)
        self._state = state

    def look(self, field: str) -> Any:
        """The attribute; of the priority its rank."""
        if field == "priority":
            return _RANKS.get(self._state.priority)
        if field == "category":
            return self._state.category
        return self._state.attributes.get(field)


class Conditions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of `all`, one of `any` (if there are any) and none of `none`, each of which may be nested; empty holds."""

    all: tuple[Condition, ...] = ()
    any: tuple[Condition, ...] = ()
    none: tuple[Condition, ...] = ()

    @property
    def placed(self) -> list[tuple[str, Condition]]:
        """What must hold, each with its path."""
        found = [(f"conditions.all[{place}]", one) for place, one in enumerate(self.all)]
        if self.any:
            found.append(("conditions.any", Condition(any=self.any)))
        if self.none:
            found.append(("conditions.none", Condition(none=self.none)))
        return found

    @property
    def parts(self) -> tuple[Condition, ...]:
        """What must hold."""
        return tuple(condition for _, condition in self.placed)


def compiled(when: Sequence[Condition], calendars: Mapping[str, OpenAt]) -> Test | None:
    """All of these as one function; `None`: nothing is asked."""
    tests = [compile_condition(one, VOCABULARY, calendars) for one in when]
    if not tests:
        return None
    return tests[0] if len(tests) == 1 else lambda question: all(test(question) for test in tests)


def fields_of(when: Iterable[Condition]) -> frozenset[str]:
    """The attributes whose change may change the answer."""
    return frozenset(
        one.field for one in _tests(when) if one.field and not one.field.startswith(HOURS)
    )


def calendars_of(when: Iterable[Condition]) -> frozenset[str]:
    """The calendars that are asked."""
    return frozenset(
        one.field.removeprefix(HOURS) for one in _tests(when) if one.field.startswith(HOURS)
    )


def faults_of(when: Sequence[Condition], path: str) -> Iterator[FieldError]:
    """What is wrong with conditions whatever the attributes and calendars are called."""
    anything = msgspec.structs.replace(VOCABULARY, fields=_Anything())
    for fault in condition_faults(when, path, anything, words={}, calendars=_Anything()):
        yield FieldError(fault.field, fault.message)


def as_written_now(data: Any) -> Any:
    """A condition's document in the words of today: `is` when no operator is said, `exists` for older ones, lists."""
    if not isinstance(data, dict):
        return data
    told = {
        key: [as_written_now(one) for one in value]
        if key in ("all", "any", "none") and isinstance(value, list)
        else value
        for key, value in data.items()
    }
    if "field" in told:
        op, is_null = told.setdefault("op", "is"), "value" in told and told["value"] is None
        if not isinstance(op, str):
            return told  # for the checks to refuse
        if op in _ABSENCE:
            told["op"], told["value"] = "exists", _ABSENCE[op]
        elif is_null and op in ("is", "is_not"):
            told["op"], told["value"] = "exists", op == "is_not"
        elif op in ("in", "not_in") and not isinstance(told.get("value"), list | tuple):
            told["value"] = [told.get("value")]
    return told


def _tests(when: Iterable[Condition]) -> Iterator[Condition]:
    for one in when:
        yield one
        yield from _tests((*one.all, *one.any, *one.none))


class _Anything(tuple[str, ...]):
    """Names that are looked at elsewhere: each is among them."""

    __slots__ = ()

    def __contains__(self, name: object) -> bool:
        return True
