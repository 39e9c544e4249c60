"""Ticket forms and the service catalogue: which fields are asked for, when each is seen, and as a JSON schema."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from services.intake.domain import limits
from services.intake.domain.definitions import Definitions, FieldDefinition
from shared.errors import FieldError, Invalid
from shared.events import Priority

FIELDS_MAX: Final = 50
"""Nobody fills in more."""

_Label = Annotated[str, Meta(min_length=1, max_length=limits.NAME_CHARS_MAX)]
_Word = Annotated[str, Meta(min_length=1, max_length=limits.WORD_CHARS_MAX)]
_Text = Annotated[str, Meta(max_length=limits.SUMMARY_CHARS_MAX)]


class VisibleIf(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The field is asked for only when an earlier one has one of these values."""

    field: _Word
    one_of: Annotated[tuple[str | int | float | bool, ...], Meta(min_length=1, max_length=50)]

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Whether it does; of several choices any one may match."""
        value = values.get(self.field)
        given = value if isinstance(value, list) else [value]
        return any(type(a) is type(b) and a == b for a in given for b in self.one_of)


class FormField(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One defined field on the form. `required`: whenever it is seen."""

    field: _Word
    required: bool = False
    visible_if: VisibleIf | None = None


class FormDefinition(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is asked when somebody wants one thing.

    Attributes:
        service: under which heading of the service catalogue it stands.
        ticket_type, priority, tags: of the tickets it makes; whoever fills it in does not choose them.
        is_public: customers see it; else only people who work here.
        is_active: it can be used; one that was retired still explains its old tickets.
    """

    title: _Label
    service: _Label | None = None
    description: _Text | None = None
    ticket_type: _Word | None = None
    priority: Priority | None = None
    tags: Annotated[tuple[_Word, ...], Meta(max_length=limits.TAGS_MAX)] = ()
    fields: Annotated[tuple[FormField, ...], Meta(max_length=FIELDS_MAX)] = ()
    is_public: bool = True
    is_active: bool = True

    def check(self, definitions: Definitions) -> None:
        """Raises Invalid naming every part that could not be asked."""
        wrong: list[FieldError] = []
        seen: set[str] = set()
        for place, one in enumerate(self.fields):
            at = f"fields[{place}]"
            definition = definitions.fields.get(one.field)
            if definition is None:
                wrong.append(FieldError(f"{at}.field", f"there is no field {one.field!r}"))
            elif self.is_public and not definition.editable_by_customer:
                wrong.append(
                    FieldError(f"{at}.field", "customers may not set it, and the form is public")
                )
            if one.field in seen:
                wrong.append(FieldError(f"{at}.field", "is asked for twice"))
            if one.visible_if is not None and one.visible_if.field not in seen:
                wrong.append(
                    FieldError(f"{at}.visible_if.field", "must be an earlier field of the form")
                )
            seen.add(one.field)
        if wrong:
            raise Invalid("The form cannot be defined like this.", errors=wrong)

    def check_answers(self, values: Mapping[str, Any]) -> None:
        """Raises Invalid naming every answer that is missing, or was not asked for."""
        asked = self.asked(values)
        wrong = [
            FieldError(f"fields.{one.field}", "is required by the form")
            for one in self.fields
            if one.required and one.field in asked and values.get(one.field) in (None, "", [])
        ]
        wrong += [
            FieldError(f"fields.{name}", "is not asked for by the form")
            for name, value in values.items()
            if name not in asked and value is not None
        ]
        if wrong:
            detail = "; ".join(f"{one.field} {one.message}" for one in wrong)
            raise Invalid(f"Fields of the form: {detail}", errors=wrong)

    def asked(self, values: Mapping[str, Any]) -> set[str]:
        """Which fields are seen with these answers; one behind a field that is not seen is not seen either."""
        asked: set[str] = set()
        for one in self.fields:
            condition = one.visible_if
            if condition is None or (condition.field in asked and condition.holds(values)):
                asked.add(one.field)
        return asked


def json_schema(
    name: str, form: FormDefinition, fields: Mapping[str, FieldDefinition]
) -> dict[str, Any]:
    """The form as a JSON schema (2020-12) of the `fields` of `POST /v1/tickets` with `form: name`.

    What depends on an answer is said twice: as `if`/`then` for validators, and as `x-visible-if` for renderers.
    """
    properties = {
        one.field: _property(fields[one.field], one) for one in form.fields if one.field in fields
    }
    always = [one.field for one in form.fields if one.required and one.visible_if is None]
    rules = [_rule(one) for one in form.fields if one.visible_if is not None]
    schema: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"/v1/forms/{name}",
        "title": form.title,
        "type": "object",
        "properties": properties,
        "required": always,
        "additionalProperties": False,
        "x-order": [one.field for one in form.fields],
    }
    if form.description:
        schema["description"] = form.description
    if rules:
        schema["allOf"] = rules
    return schema


def _property(definition: FieldDefinition, asked: FormField) -> dict[str, Any]:
    schema: dict[str, Any] = {"title": definition.label, **_TYPES[definition.type]}
    if definition.description:
        schema["description"] = definition.description
    if definition.type == "choice":
        schema["enum"] = list(definition.options)
    if definition.type == "choices":
        schema["items"] = {"type": "string", "enum": list(definition.options)}
    if definition.type == "text":
        schema["maxLength"] = definition.length_max or limits.FIELD_TEXT_CHARS_MAX
    bounds = {"minimum": definition.min, "maximum": definition.max}
    schema |= {name: limit for name, limit in bounds.items() if limit is not None}
    if asked.visible_if is not None:
        schema["x-visible-if"] = msgspec.to_builtins(asked.visible_if)
    return schema


_TYPES: Final[dict[str, dict[str, Any]]] = {
    "text": {"type": "string"},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "choice": {"type": "string"},
    "choices": {"type": "array", "uniqueItems": True},
}


def _rule(one: FormField) -> dict[str, Any]:
    condition = one.visible_if
    assert condition is not None, "only fields that depend on an answer have a rule"
    values = list(condition.one_of)
    answered = {"anyOf": [{"enum": values}, {"type": "array", "contains": {"enum": values}}]}
    shown: dict[str, Any] = {"required": [one.field]} if one.required else {}
    return {
        "if": {"properties": {condition.field: answered}, "required": [condition.field]},
        "then": shown,
        "else": {"properties": {one.field: False}},
    }
