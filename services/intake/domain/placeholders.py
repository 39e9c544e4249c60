"""Placeholders in prepared texts: `{{requester.name}}`, or `{{requester.name|there}}` if it is not known. Pure."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import msgspec

from services.intake.domain.ticket import Ticket
from shared.errors import FieldError
from shared.events import Actor, ActorKind

_PLACEHOLDER: Final = re.compile(r"\{\{\s*([^{}|]*?)\s*(?:\|([^{}]*))?\}\}")
_FIELD: Final = "field."

_KNOWN: Final[Mapping[str, Callable[[Ticket, Actor], Any]]] = {
    "ticket.number": lambda ticket, _: ticket.number,
    "ticket.id": lambda ticket, _: ticket.id,
    "ticket.subject": lambda ticket, _: ticket.subject,
    "ticket.status": lambda ticket, _: ticket.category,
    "ticket.priority": lambda ticket, _: ticket.priority,
    "ticket.type": lambda ticket, _: ticket.ticket_type,
    "requester.name": lambda ticket, _: ticket.requester.name,
    "requester.email": lambda ticket, _: ticket.requester.email,
    "requester.organization": lambda ticket, _: ticket.requester.organization,
    "agent.name": lambda _, agent: (
        None if agent.kind is ActorKind.SYSTEM else agent.name or agent.id
    ),
}


class Rendered(msgspec.Struct, frozen=True):
    """A text as it would be sent; `missing` names the placeholders that nothing is known for."""

    text: str
    missing: tuple[str, ...] = ()


def faults(text: str | None, fields: Mapping[str, Any], place: str) -> Iterator[FieldError]:
    """Placeholders that will never mean anything; `fields` are the custom fields that are defined."""
    for name, _ in _PLACEHOLDER.findall(text or ""):
        if name in _KNOWN or (name.startswith(_FIELD) and name.removeprefix(_FIELD) in fields):
            continue
        known = ", ".join((*_KNOWN, "field.<a defined custom field>"))
        yield FieldError(place, f"{{{{{name}}}}} is no placeholder; there are {known}")


def rendered(text: str, ticket: Ticket, agent: Actor) -> Rendered:
    """The text for this ticket. A value is put in once, as it is: what it contains is never looked at again."""
    missing: list[str] = []

    def value(found: re.Match[str]) -> str:
        name, otherwise = found[1], found[2]
        known = _KNOWN.get(name)
        said = known(ticket, agent) if known else ticket.fields.get(name.removeprefix(_FIELD))
        if said is None and otherwise is None:
            missing.append(name)
        return _words(said) if said is not None else (otherwise or "").strip()

    return Rendered(_PLACEHOLDER.sub(value, text), tuple(dict.fromkeys(missing)))


def _words(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_words, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
