"""Custom fields as controls of a page: which ones are asked for, and with what. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from services.query.views.definitions import Definitions

_YES_OR_NO = (("true", "yes"), ("false", "no"))


@dataclass(frozen=True)
class Asked:
    """One field to be filled in.

    Attributes:
        name, label, type, description: as defined.
        value: what it holds now.
        needed: for what it must be there, in words; empty when for nothing.
        is_required: the command is refused without it, so the browser asks first.
        choices: value and word of each option.
        min, max, length_max: bounds.
        visible_if: the earlier field, and the values of it, with which this one is asked for.
    """

    name: str
    label: str
    type: str
    description: str | None = None
    value: Any = None
    needed: str = ""
    is_required: bool = False
    choices: tuple[tuple[str, str], ...] = ()
    min: float | None = None
    max: float | None = None
    length_max: int | None = None
    visible_if: Mapping[str, Any] | None = None

    @property
    def is_needed(self) -> bool:
        return bool(self.needed)

    @property
    def chosen(self) -> str | None:
        """The option that the value stands for."""
        return str(self.value).lower() if isinstance(self.value, bool) else self.value


def of_ticket(
    definitions: Definitions, ticket_type: str | None, values: Mapping[str, Any]
) -> list[Asked]:
    """The fields of a ticket of this type: those that it needs or has first, then all that it may have."""
    found = [
        _asked(definitions, name, values.get(name), _needed(definitions, name, ticket_type))
        for name, definition in definitions.fields.items()
        if name in values
        or not definition.get("ticket_types")
        or ticket_type in definition["ticket_types"]
        or _needed(definitions, name, ticket_type)
    ]
    return sorted(found, key=lambda one: not one.is_needed and one.value is None)


def of_opening(definitions: Definitions, ticket_type: str | None, form: str | None) -> list[Asked]:
    """What is asked for when a ticket is opened: by its form, or else what its type needs then."""
    if form is not None:
        return [
            _asked(
                definitions,
                one["field"],
                None,
                "needed" if one.get("required") else "",
                visible_if=one.get("visible_if"),
            )
            for one in definitions.forms[form].get("fields", ())
            if one["field"] in definitions.fields
        ]
    fields = of_ticket(definitions, ticket_type, {})
    return [one for one in fields if one.is_required]


def customers_own(definitions: Definitions, asked: Iterable[Asked]) -> list[Asked]:
    """Those that a customer may set."""
    return [one for one in asked if definitions.fields[one.name].get("editable_by_customer")]


def _needed(definitions: Definitions, name: str, ticket_type: str | None) -> str:
    definition = definitions.fields[name]
    own_type = definitions.types.get(ticket_type or "", {})
    types = definition.get("ticket_types", ())
    always = (
        definition.get("required_on", "never") if not types or ticket_type in types else "never"
    )
    if always == "open" or name in own_type.get("required_on_open", ()):
        return "needed"
    if always == "solve" or name in own_type.get("required_on_solve", ()):
        return "needed to solve"
    return ""


def _asked(
    definitions: Definitions,
    name: str,
    value: Any,
    needed: str,
    *,
    visible_if: Mapping[str, Any] | None = None,
) -> Asked:
    definition = definitions.fields[name]
    options = tuple((option, option) for option in definition.get("options", ()))
    return Asked(
        name=name,
        label=definition["label"],
        type=definition["type"],
        description=definition.get("description"),
        value=value,
        needed=needed,
        is_required=needed == "needed",
        choices=_YES_OR_NO if definition["type"] == "boolean" else options,
        min=definition.get("min"),
        max=definition.get("max"),
        length_max=definition.get("length_max"),
        visible_if=visible_if,
    )
