"""What somebody filled in, as a form sends it, in the types of the fields. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from services.intake.domain.definitions import FieldDefinition
from services.intake.domain.forms import FormDefinition

PREFIX = "field."
"""Begins the names of inputs that are custom fields."""


def values(
    form: FormDefinition,
    fields: Mapping[str, FieldDefinition],
    said: Callable[[str], Sequence[str]],
) -> dict[str, Any]:
    """The custom fields: those that the form asks for with these answers, and that were answered.

    Without scripts the page shows every field, also those that do not apply: such answers are left out.
    What is no number stays text, for the field's definition to name.
    """
    given = {
        one.field: _value(fields[one.field], said(PREFIX + one.field))
        for one in form.fields
        if one.field in fields
    }
    asked = form.asked(given)
    return {
        name: value
        for name, value in given.items()
        if name in asked and value not in (None, "", [])
    }


def _value(definition: FieldDefinition, said: Sequence[str]) -> Any:
    first = said[0].strip() if said else ""
    match definition.type:
        case "choices":
            return [one for one in said if one]
        case "boolean":
            return bool(first)
        case "integer" if first:
            return _number(first, int)
        case "number" if first:
            return _number(first.replace(",", "."), float)
        case _:
            return first or None


def _number(text: str, type_: type[int] | type[float]) -> int | float | str:
    try:
        return type_(text)
    except ValueError:
        return text
