"""What people type into the search field: words, "phrases", -exclusions, operators such as `is:open field.cost:1..9`.

Operators narrow the filter that the address already says; everything else is text for PostgreSQL's web search. A name
before a colon that is no operator stays text: error messages are full of colons.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from typing import Final, TypeVar

from services.query.facets import FIELD
from services.query.views.fields import FieldWish
from services.query.views.list_filter import NOBODY, TicketFilter
from shared.errors import Invalid
from shared.events import Channel, Priority, StatusCategory

_TOKEN: Final = re.compile(
    r'(?<!\S)(?P<minus>-?)(?P<name>field\.[\w-]+|[a-z_]+):(?P<value>"[^"]*"|\S+)'
)
_Choice = TypeVar("_Choice", bound=StrEnum)

_SWITCHES: Final[dict[str, tuple[str, bool]]] = {
    "open": ("is_open", True),
    "ended": ("is_open", False),
    "breached": ("breached", True),
    "at_risk": ("at_risk", True),
}
_OPPOSITE_ALLOWED: Final = frozenset({"open", "ended", "breached", "at_risk"})
_STATES: Final = (*_SWITCHES, "unassigned", "mine", *StatusCategory)


def narrowed(wanted: TicketFilter, *, caller: str) -> TicketFilter:
    """The filter with the operators of its `q` taken out and applied.

    Args:
        wanted: `q` is what was typed.
        caller: whose tickets `is:mine` and `assignee:me` are.

    Raises:
        Invalid: an operator's value does not exist; the message names both.
    """
    if not wanted.q or ":" not in wanted.q:
        return wanted
    found = list(_TOKEN.finditer(wanted.q))
    text = _TOKEN.sub(lambda token: token[0] if _operator(token["name"]) is None else " ", wanted.q)
    result = replace(wanted, q=" ".join(text.split()) or None)
    for token in found:
        apply = _operator(token["name"])
        if apply is None:
            continue
        value = token["value"].strip('"')
        if token["minus"]:
            result = _negated(result, token["name"], value)
        else:
            result = apply(result, caller if value == "me" else value, caller)
    return result


def _is(wanted: TicketFilter, value: str, caller: str) -> TicketFilter:
    if value in _SWITCHES:
        name, wish = _SWITCHES[value]
        return replace(wanted, **{name: wish})  # type: ignore[arg-type]  # each of them is a switch
    if value == "unassigned":
        return replace(wanted, assignee=(NOBODY,))
    if value == "mine":
        return replace(wanted, assignee=(caller,))
    if value not in set(StatusCategory):
        raise Invalid.of(
            "q", f"is:{value} is nothing a ticket can be; there are: {', '.join(_STATES)}"
        )
    return replace(wanted, status=(*wanted.status, StatusCategory(value)))


def _negated(wanted: TicketFilter, name: str, value: str) -> TicketFilter:
    if name != "is" or value not in _OPPOSITE_ALLOWED:
        raise Invalid.of(
            "q", f"-{name}: only is:{', is:'.join(sorted(_OPPOSITE_ALLOWED))} can be excluded"
        )
    switch, wish = _SWITCHES[value]
    return replace(wanted, **{switch: not wish})  # type: ignore[arg-type]  # as above


def _chosen(kind: type[_Choice], name: str, value: str) -> _Choice:
    try:
        return kind(value)
    except ValueError:
        raise Invalid.of(
            "q", f"{name}:{value} does not exist; there are: {', '.join(kind)}"
        ) from None


_Apply = Callable[[TicketFilter, str, str], TicketFilter]

_OPERATORS: Final[dict[str, _Apply]] = {
    "is": _is,
    "from": lambda wanted, value, _: replace(wanted, requester=value),
    "assignee": lambda wanted, value, _: replace(wanted, assignee=(*wanted.assignee, value)),
    "group": lambda wanted, value, _: replace(wanted, group=(*wanted.group, value)),
    "tag": lambda wanted, value, _: replace(wanted, tag=(*wanted.tag, value)),
    "type": lambda wanted, value, _: replace(wanted, type=(*wanted.type, value)),
    "language": lambda wanted, value, _: replace(wanted, language=(*wanted.language, value)),
    "organization": lambda wanted, value, _: replace(
        wanted, organization=(*wanted.organization, value)
    ),
    "status": lambda wanted, value, _: replace(
        wanted, status=(*wanted.status, _chosen(StatusCategory, "status", value))
    ),
    "priority": lambda wanted, value, _: replace(
        wanted, priority=(*wanted.priority, _chosen(Priority, "priority", value))
    ),
    "channel": lambda wanted, value, _: replace(
        wanted, channel=(*wanted.channel, _chosen(Channel, "channel", value))
    ),
}


def _operator(name: str) -> _Apply | None:
    """What this word before a colon does; None: it is text."""
    if not name.startswith(FIELD):
        return _OPERATORS.get(name)
    field = name.removeprefix(FIELD)
    return lambda wanted, value, _: replace(
        wanted, fields=(*wanted.fields, FieldWish(field, (value,)))
    )
