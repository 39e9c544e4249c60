"""Saved views of the ticket list: a name for a filter, an order and columns, for oneself or for many."""

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from services.intake.domain import limits
from shared.errors import FieldError, Invalid

FILTERS_MAX: Final = 30
COLUMNS_MAX: Final = 20
AUDIENCE_MAX: Final = 100

_VALUE_CHARS_MAX: Final = 500
_PLACE_MAX: Final = 10_000
_NOT_FILTERS: Final = frozenset({"cursor", "limit", "sort", "columns", "as_of"})

_Line = Annotated[str, Meta(pattern=r"^[^\r\n]*\S[^\r\n]*$", max_length=limits.NAME_CHARS_MAX)]
_Word = Annotated[str, Meta(pattern=r"\S", max_length=limits.IDENTITY_CHARS_MAX)]
_Value = Annotated[str, Meta(min_length=1, max_length=_VALUE_CHARS_MAX)]


class SavedView(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A view, said as the address of the list says it.

    Attributes:
        title: by which people know it.
        filter: parameter → value, several separated by commas; `me` is whoever looks at it.
        sort: the list's order; without it the list's own.
        columns: in their order; without them the list's own.
        place: views stand in the order of their places.
        groups, roles: who is shown a shared view: members of one of these groups, people with one of these roles
            (both when both are named; none named: everybody who works here).
    """

    title: _Line
    filter: Annotated[dict[_Word, _Value], Meta(max_length=FILTERS_MAX)] = {}
    sort: _Word | None = None
    columns: Annotated[tuple[_Word, ...], Meta(max_length=COLUMNS_MAX)] = ()
    place: Annotated[int, Meta(ge=0, le=_PLACE_MAX)] = 0
    groups: Annotated[tuple[_Word, ...], Meta(max_length=AUDIENCE_MAX)] = ()
    roles: Annotated[tuple[_Word, ...], Meta(max_length=AUDIENCE_MAX)] = ()

    def check(self, *, is_personal: bool) -> None:
        """Raises Invalid naming what no list can be asked for, or a personal view's audience."""
        wrong = [
            FieldError(f"filter.{name}", "is no filter")
            for name in self.filter
            if name in _NOT_FILTERS
        ]
        if len(set(self.columns)) != len(self.columns):
            wrong.append(FieldError("columns", "each column once"))
        if is_personal and (self.groups or self.roles):
            wrong.append(FieldError("groups", "and roles belong to views that are shared"))
        if wrong:
            raise Invalid("The view cannot be kept.", errors=wrong)

    def told(self, owner: str | None) -> dict[str, Any]:
        """As it is stored. `owner`: whose alone it is."""
        said: dict[str, Any] = msgspec.to_builtins(self)
        return said if owner is None else {**said, "owner": owner}
