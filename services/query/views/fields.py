"""Custom fields as filters and orders: what was asked for in text, understood by the field's own type."""

from dataclasses import dataclass
from datetime import date
from typing import Any, Final, LiteralString

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from psycopg.sql import SQL, Composed

from services.query.facets import FIELD, VALUE_CHARS_MAX
from services.query.views.pools import Pool
from services.query.views.values import Values
from shared.errors import Invalid

RANGE: Final = ".."
"""Between two ends, each of which may be left away: `10..20`, `2026-01-01..`."""

_LISTED_MAX: Final = 100
"""As many fields as a ticket may have."""

_NUMBERS: Final = frozenset({"integer", "number"})

# A field that nobody defined may still be used, and then its values say what they are. The least of them is the first
# entry of an index; whether there is any would be asked of all that are none.
_KINDS: Final[LiteralString] = """
SELECT n.name, c.definition ->> 'type' AS kind, c.definition -> 'options' AS options,
       c.name IS NOT NULL OR EXISTS (SELECT FROM {facets} AS f WHERE f.name = %(prefix)s || n.name) AS is_known,
       c.name IS NULL AND (SELECT f.number FROM {facets} AS f
                           WHERE f.name = %(prefix)s || n.name AND f.number IS NOT NULL
                           ORDER BY f.number LIMIT 1) IS NOT NULL AS has_numbers
FROM unnest(%(names)s::text[]) AS n (name)
LEFT JOIN configuration AS c ON c.kind = 'field' AND c.name = n.name AND c.definition IS NOT NULL
"""
_NOW: Final = SQL("facets")


@dataclass(frozen=True, slots=True)
class FieldWish:
    """A field's name, and values or ranges any of which it may have, as they were typed."""

    name: str
    wanted: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FieldKind:
    """What is known of a field. `kind`: by its definition; None: nobody defined it."""

    name: str
    kind: str | None
    options: tuple[str, ...]
    has_numbers: bool

    @property
    def is_number(self) -> bool:
        """Whether it is compared and ordered by number."""
        return self.kind in _NUMBERS or (self.kind is None and self.has_numbers)

    def ordered_by(self) -> tuple[LiteralString, LiteralString]:
        """The column of `facets` (as `f`) that gives its order, and that column's type.

        Raises:
            Invalid: it may have several values, so a ticket would stand in several places.
        """
        if self.kind == "choices":
            raise Invalid.of("sort", f"{FIELD}{self.name} may have several values; it has no order")
        return ("f.number", "float8") if self.is_number else ("f.value", "text")

    def test(self, wanted: tuple[str, ...], values: Values) -> Composed:
        """The condition on a row `f` of `facets` of this field: it has one of these values.

        Raises:
            Invalid: a value that the field cannot have.
        """
        return SQL("({})").format(SQL(" OR ").join(self._one(each, values) for each in wanted))

    def _one(self, wanted: str, values: Values) -> Composed:
        if self.is_number:
            return self._number(wanted, values)
        low, between, high = wanted.partition(RANGE)
        if between and (self.kind == "date" or (self.kind is None and _are_dates(low, high))):
            ends = [self._date(end) if end else None for end in (low, high)]
            return _within(SQL("f.value"), ends, values)
        if self.kind == "date":
            return SQL("f.value = {}").format(values.put(self._date(wanted)))
        if self.kind == "boolean" and wanted not in {"true", "false"}:
            raise self._refused("true or false")
        if self.options and wanted not in self.options:
            raise self._refused(f"one of {', '.join(self.options)}")
        return SQL("f.value = {}").format(values.put(wanted[:VALUE_CHARS_MAX]))

    def _number(self, wanted: str, values: Values) -> Composed:
        low, between, high = wanted.partition(RANGE)
        if not between:
            low = high = wanted
        try:
            ends = [float(end) if end else None for end in (low, high)]
        except ValueError:
            raise self._refused("a number, or a range such as 10..20") from None
        return _within(SQL("f.number"), ends, values)

    def _date(self, wanted: str) -> str:
        if not _are_dates(wanted):
            raise self._refused("a date, YYYY-MM-DD, or a range such as 2026-01-01..2026-01-31")
        return wanted

    def _refused(self, expected: str) -> Invalid:
        return Invalid.of(FIELD + self.name, f"expected {expected}")


async def kinds_of(
    connection: AsyncConnection[DictRow],
    names: list[str],
    *,
    parameter: str | None = None,
    facets: SQL | Composed = _NOW,
) -> dict[str, FieldKind]:
    """What is known of these fields.

    Args:
        connection: to the projections.
        names: without prefix.
        parameter: named by a refusal; else the field is.
        facets: the rows (`name`, `number`) that tell of fields which nobody defined.

    Raises:
        Invalid: no such field is defined, and no ticket has one.
    """
    if not names:
        return {}
    statement = SQL(_KINDS).format(facets=facets)
    found = await connection.execute(statement, {"names": names, "prefix": FIELD})
    kinds = {}
    for row in await found.fetchall():
        name = row["name"]
        if not row["is_known"]:
            raise Invalid.of(parameter or FIELD + name, f"there is no field {name!r}")
        kinds[name] = FieldKind(name, row["kind"], tuple(row["options"] or ()), row["has_numbers"])
    return kinds


def _within(column: SQL, ends: list[Any], values: Values) -> Composed:
    tests = [
        SQL("{} {} {}").format(column, SQL(comparison), values.put(end))
        for comparison, end in zip((">=", "<="), ends, strict=True)
        if end is not None
    ]
    return SQL(" AND ").join(tests) if tests else SQL("{} IS NOT NULL").format(column)


def _are_dates(*texts: str) -> bool:
    """Whether each that is not empty is a date, and there is one."""
    try:
        return [date.fromisoformat(text).isoformat() == text for text in texts if text].count(
            True
        ) > 0
    except ValueError:
        return False


async def defined_fields(pool: Pool) -> list[str]:
    """The names of the custom fields that are defined."""
    async with pool.connection() as connection:
        found = await connection.execute(
            "SELECT name FROM configuration WHERE kind = 'field' AND definition IS NOT NULL ORDER BY name LIMIT %s",
            (_LISTED_MAX,),
        )
        return [row["name"] for row in await found.fetchall()]
