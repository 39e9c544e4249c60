"""The columns of the ticket list: which there are, which are shown when nobody chose, and what each is ordered by."""

from dataclasses import dataclass
from typing import Final

from services.query.facets import FIELD
from shared.errors import Invalid

COLUMNS_MAX: Final = 20


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        name: by which it is chosen; `field.NAME` is a custom field.
        title: in its head.
        orders: the list's orders that its head offers, the first one at the first press.
        is_internal: customers do not see it.
        is_usual: shown when nobody chose.
        classes: of its cells. `opt`: not on a phone.
    """

    name: str
    title: str
    orders: tuple[str, ...] = ()
    is_internal: bool = False
    is_usual: bool = True
    classes: str = "opt"

    @property
    def field(self) -> str | None:
        """The custom field that it shows."""
        return self.name.removeprefix(FIELD) if self.name.startswith(FIELD) else None


_ALL: Final = (
    Column("number", "#", ("-created", "created"), classes="num no"),
    Column("due", "Due", ("due", "-due"), is_internal=True, classes="num"),
    Column("subject", "Subject", classes="wide"),
    Column("status", "Status"),
    Column("priority", "Priority", ("-priority", "priority")),
    Column("group", "Group", is_internal=True),
    Column("assignee", "Assignee", is_internal=True),
    Column("requester", "Requester", is_internal=True),
    Column("organization", "Organisation", is_internal=True, is_usual=False),
    Column("type", "Type", is_usual=False),
    Column("channel", "Channel", is_usual=False),
    Column("tags", "Tags", is_internal=True, is_usual=False),
    Column("created", "Created", ("-created", "created"), is_usual=False, classes="opt num"),
    Column("updated", "Updated", ("-updated", "updated"), classes="num"),
)
_BY_NAME: Final = {column.name: column for column in _ALL}
_ALWAYS: Final = ("number", "subject")


def usual(*, is_staff: bool) -> list[Column]:
    """Those that are shown when nobody chose."""
    return [each for each in _ALL if each.is_usual and (is_staff or not each.is_internal)]


def offered(fields: list[str], shown: list[Column], *, is_staff: bool) -> list[Column]:
    """Those to choose from; number and subject are always there.

    Args:
        fields: names of the custom fields that are defined.
        shown: others may be shown nevertheless.
        is_staff: whether internal ones are among them.
    """
    known = {each.name: each for each in _ALL if is_staff or not each.is_internal}
    if is_staff:
        known |= {each.name: each for each in [*map(_of_field, fields), *shown]}
    return [each for each in known.values() if each.name not in _ALWAYS]


def chosen(names: list[str], *, is_staff: bool) -> list[Column]:
    """The columns with these names, in this order; the usual ones when none is named.

    Raises:
        Invalid: there is no such column, or there are too many.
    """
    if not names:
        return usual(is_staff=is_staff)
    wanted = [name for name in dict.fromkeys(names) if name not in _ALWAYS]
    if len(wanted) > COLUMNS_MAX:
        raise Invalid.of("columns", f"at most {COLUMNS_MAX}")
    found = []
    for name in wanted:
        column = (
            _of_field(name.removeprefix(FIELD)) if name.startswith(FIELD) else _BY_NAME.get(name)
        )
        if column is None or (column.is_internal and not is_staff):
            raise Invalid.of("columns", f"there is no column {name!r}")
        found.append(column)
    before = [each for each in found if each.name == "due"]
    after = [each for each in found if each.name != "due"]
    return [_BY_NAME["number"], *before, _BY_NAME["subject"], *after]


def _of_field(name: str) -> Column:
    order = FIELD + name
    return Column(order, name.replace("_", " "), (order, f"-{order}"), is_internal=True)
