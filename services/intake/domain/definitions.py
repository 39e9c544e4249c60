"""Typed custom fields and ticket types by configuration, and what they say to a ticket's values."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from services.intake.domain import limits
from shared.errors import FieldError, Forbidden, Invalid

Kind = Literal["text", "integer", "number", "boolean", "date", "choice", "choices"]

_Label = Annotated[str, Meta(min_length=1, max_length=limits.NAME_CHARS_MAX)]
_Word = Annotated[str, Meta(min_length=1, max_length=limits.WORD_CHARS_MAX)]
_Text = Annotated[str, Meta(max_length=limits.REASON_CHARS_MAX)]

OPTIONS_MAX: Final = 200
"""A list that people still choose from; longer ones are data of another system."""


class FieldDefinition(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What one custom field may hold.

    Attributes:
        type: `date` is `YYYY-MM-DD`; `choice` one of `options`, `choices` several of them.
        ticket_types: only tickets of these types must have it (none named: all); others may.
        required_on: when it must be there: `open`, `solve`, or `never`.
        visible_to_customer: the requester sees it. `editable_by_customer`: and may set it when opening.
        min, max: of numbers. `length_max`: characters of text.
    """

    label: _Label
    type: Kind
    description: _Text | None = None
    options: Annotated[tuple[_Word, ...], Meta(max_length=OPTIONS_MAX)] = ()
    ticket_types: tuple[_Word, ...] = ()
    required_on: Literal["never", "open", "solve"] = "never"
    visible_to_customer: bool = False
    editable_by_customer: bool = False
    min: float | None = None
    max: float | None = None
    length_max: Annotated[int, Meta(ge=1, le=limits.FIELD_TEXT_CHARS_MAX)] | None = None

    def check(self) -> None:
        """Raises Invalid naming every part of the definition that makes no sense."""
        wrong: list[FieldError] = []
        has_options = self.type in {"choice", "choices"}
        if has_options != bool(self.options):
            wrong.append(
                FieldError("options", "belong to choice and choices, and are needed there")
            )
        if len(set(self.options)) != len(self.options):
            wrong.append(FieldError("options", "each option once"))
        if self.type not in {"integer", "number"} and (self.min, self.max) != (None, None):
            wrong.append(FieldError("min", "and max belong to numbers"))
        if self.min is not None and self.max is not None and self.min > self.max:
            wrong.append(FieldError("max", "is less than min"))
        if self.length_max is not None and self.type != "text":
            wrong.append(FieldError("length_max", "belongs to text"))
        if self.editable_by_customer and not self.visible_to_customer:
            wrong.append(FieldError("editable_by_customer", "needs visible_to_customer"))
        if wrong:
            raise Invalid("The field cannot be defined like this.", errors=wrong)

    def fault(self, value: Any) -> str | None:  # noqa: C901, PLR0911, PLR0912 - one case a type
        """What is wrong with the value; `None` when nothing is."""
        match self.type:
            case "text":
                if not isinstance(value, str):
                    return "expected text"
                if self.length_max is not None and len(value) > self.length_max:
                    return f"is over {self.length_max} characters long"
            case "integer" | "number":
                is_number = isinstance(value, int) or (
                    self.type == "number" and isinstance(value, float)
                )
                if isinstance(value, bool) or not is_number:
                    return (
                        "expected a whole number" if self.type == "integer" else "expected a number"
                    )
                if self.min is not None and value < self.min:
                    return f"is less than {self.min:g}"
                if self.max is not None and value > self.max:
                    return f"is more than {self.max:g}"
            case "boolean":
                if not isinstance(value, bool):
                    return "expected true or false"
            case "date":
                if not _is_date(value):
                    return "expected a date, YYYY-MM-DD"
            case "choice":
                if value not in self.options or isinstance(value, bool):
                    return f"expected one of {', '.join(self.options)}"
            case "choices":
                if not isinstance(value, list) or any(one not in self.options for one in value):
                    return f"expected a list of {', '.join(self.options)}"
                if len(set(value)) != len(value):
                    return "names an option twice"
        return None


class TypeDefinition(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A kind of ticket.

    Attributes:
        required_on_open: fields that a ticket of this type must have to be opened.
        required_on_solve: fields that it must have to be solved.
        visible_to_customer: whether customers may open tickets of this type.
    """

    label: _Label
    description: _Text | None = None
    required_on_open: tuple[_Word, ...] = ()
    required_on_solve: tuple[_Word, ...] = ()
    visible_to_customer: bool = True

    def check(self, fields: Mapping[str, FieldDefinition]) -> None:
        """Raises Invalid naming every required field that is not defined."""
        wrong = [
            FieldError(f"{name}[{place}]", f"there is no field {field!r}")
            for name in ("required_on_open", "required_on_solve")
            for place, field in enumerate(getattr(self, name))
            if field not in fields
        ]
        if wrong:
            raise Invalid("The ticket type cannot be defined like this.", errors=wrong)


class Definitions(msgspec.Struct, frozen=True):
    """All fields and types there are."""

    fields: Mapping[str, FieldDefinition] = {}
    types: Mapping[str, TypeDefinition] = {}

    def check_opening(self, ticket_type: str | None, values: Mapping[str, Any]) -> None:
        """Raises Invalid naming every field that is wrong or missing on a new ticket."""
        self._refuse([*self._faults(values), *self._missing("open", ticket_type, values)])

    def check_customer(self, ticket_type: str | None, values: Mapping[str, Any]) -> None:
        """Raises Forbidden when a customer sets a field or names a type that is not for customers."""
        of_type = self.types.get(ticket_type or "")
        if of_type is not None and not of_type.visible_to_customer:
            raise Forbidden("This type is for people who work here.", field="ticket_type")
        for name in values:
            definition = self.fields.get(name)
            if definition is not None and not definition.editable_by_customer:
                raise Forbidden("This field is for people who work here.", field=f"fields.{name}")

    def check_change(
        self, ticket_type: str | None, values: Mapping[str, Any], changes: Mapping[str, Any]
    ) -> None:
        """Raises Invalid naming every changed field that is wrong, or may not be taken away."""
        needed = self._required("open", ticket_type)
        gone = [
            FieldError(f"fields.{name}", "is required and cannot be removed")
            for name, value in changes.items()
            if value is None and name in needed and values.get(name) is not None
        ]
        self._refuse([*self._faults(changes), *gone])

    def check_solving(self, ticket_type: str | None, values: Mapping[str, Any]) -> None:
        """Raises Invalid naming every field that a ticket must have to be solved."""
        self._refuse(self._missing("solve", ticket_type, values))

    def _faults(self, values: Mapping[str, Any]) -> list[FieldError]:
        found = (
            (name, definition.fault(value))
            for name, value in values.items()
            if value is not None and (definition := self.fields.get(name))
        )
        return [FieldError(f"fields.{name}", fault) for name, fault in found if fault]

    def _missing(
        self, moment: Literal["open", "solve"], ticket_type: str | None, values: Mapping[str, Any]
    ) -> list[FieldError]:
        return [
            FieldError(f"fields.{name}", f"is required to {moment} this ticket")
            for name in self._required(moment, ticket_type)
            if values.get(name) in (None, "", [])
        ]

    def _required(self, moment: Literal["open", "solve"], ticket_type: str | None) -> list[str]:
        always = [
            name
            for name, one in self.fields.items()
            if one.required_on == moment
            and (not one.ticket_types or ticket_type in one.ticket_types)
        ]
        of_type = self.types.get(ticket_type or "")
        if of_type is None:
            return always
        named = of_type.required_on_open if moment == "open" else of_type.required_on_solve
        return list(dict.fromkeys((*always, *named)))

    def _refuse(self, wrong: list[FieldError]) -> None:
        if wrong:
            detail = "; ".join(f"{one.field} {one.message}" for one in wrong)
            raise Invalid(f"Fields of the ticket: {detail}", errors=wrong)


def _is_date(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        return date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False
