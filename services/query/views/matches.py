"""Tickets that are found by rows of other tables: words in the search document, tags and custom fields in `facets`.

Such a condition has two forms. As a set, its tickets are looked up at once, by an index of the other table; as a test,
it is put to one ticket after the other. Few matches are gathered whole and then put into the list's order; many are met
soon by walking the list in its order and testing each. Either is a hundred times too slow for the other's case, so the
smallest set is measured first, or estimated by the planner where measuring would be looking it up.
"""

from dataclasses import dataclass
from typing import Final

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from psycopg.sql import SQL, Composed

from services.query.facets import TAG
from services.query.views.fields import kinds_of
from services.query.views.list_filter import TicketFilter
from services.query.views.scope import Scope
from services.query.views.text_query import query_of
from services.query.views.values import Values

GATHERED_MAX: Final = 6_000
"""Each match costs a look into an index or a page at another place, and so does each ticket that is tested: with a
million tickets, looking so many up is as dear as walking until fifty are found."""


MEASURED_MAX: Final = 10 * GATHERED_MAX
"""Up to here the planner's word is checked: of words that no sample holds it expects thousands, and a walk for one that
is nowhere would test every ticket."""


@dataclass(frozen=True, slots=True)
class Matches:
    """Conditions on a row `t` of `tickets`. `is_gathered`: few fulfil them all, so they are looked up together."""

    conditions: list[SQL | Composed]
    is_gathered: bool = False


@dataclass(frozen=True, slots=True)
class _Elsewhere:
    """One condition on rows of another table, in both forms."""

    as_set: Composed
    as_test: Composed
    about: int


async def matches(
    connection: AsyncConnection[DictRow],
    wanted: TicketFilter,
    values: Values,
    scope: Scope,
) -> Matches:
    """What the filter asks of other tables.

    Args:
        connection: to the projections.
        wanted: the filter.
        values: those of all conditions; ours are added.
        scope: whose notes are not searched. A customer's tickets are few, so each of them is tested.

    Raises:
        Invalid: a field or its value does not exist.
    """
    found = [await _tagged(connection, tag, values) for tag in wanted.tag]
    kinds = await kinds_of(connection, [wish.name for wish in wanted.fields])
    for wish in wanted.fields:
        test = kinds[wish.name].test(wish.wanted, values)
        found.append(await _facet(connection, test, values))
    if wanted.q:
        found.append(await _containing(connection, wanted.q, values, scope))
    if not found:
        return Matches([])
    smallest = min(each.about for each in found)
    is_gathered = scope.sees_internal and smallest <= GATHERED_MAX
    return Matches([each.as_set if is_gathered else each.as_test for each in found], is_gathered)


async def _tagged(connection: AsyncConnection[DictRow], tag: str, values: Values) -> _Elsewhere:
    test = SQL("f.name = {} AND f.value = {}").format(values.put(TAG), values.put(tag))
    found = await _facet(connection, test, values)
    # A walk that reads the tickets' rows has their tags at hand.
    return _Elsewhere(found.as_set, SQL("t.tags @> {}").format(values.put([tag])), found.about)


async def _facet(
    connection: AsyncConnection[DictRow], test: Composed, values: Values
) -> _Elsewhere:
    about = await _counted(connection, SQL("SELECT FROM facets AS f WHERE {}").format(test), values)
    return _Elsewhere(
        SQL("t.ticket_id IN (SELECT f.ticket_id FROM facets AS f WHERE {})").format(test),
        # OFFSET 0, here and below, keeps it a question about each row: as a join, the planner would gather all.
        SQL(
            "(SELECT true FROM facets AS f WHERE f.ticket_id = t.ticket_id AND {} LIMIT 1 OFFSET 0)"
        ).format(test),
        about,
    )


async def _containing(
    connection: AsyncConnection[DictRow], words: str, values: Values, scope: Scope
) -> _Elsewhere:
    # Notes are not in the public document, so no customer can find a ticket by what a note says.
    document = SQL("d.everything" if scope.sees_internal else "coalesce(d.public, d.everything)")
    query = values.put((await query_of(connection, words)).whole)
    found = SQL("SELECT d.ticket_id FROM search_documents AS d WHERE d.everything @@ {}::tsquery")
    in_index = found.format(query)
    about = await _expected(connection, in_index, values)
    if GATHERED_MAX < about <= MEASURED_MAX:
        about = await _counted(connection, in_index, values)
    return _Elsewhere(
        SQL("t.ticket_id IN ({})").format(in_index),
        SQL(
            "(SELECT {} @@ {}::tsquery FROM search_documents AS d WHERE d.ticket_id = t.ticket_id OFFSET 0)"
        ).format(document, query),
        about,
    )


async def _counted(
    connection: AsyncConnection[DictRow], statement: Composed, values: Values
) -> int:
    """How many rows there are, no further than what decides."""
    counted = await connection.execute(
        SQL("SELECT count(*) AS n FROM ({} LIMIT {}) AS found").format(statement, GATHERED_MAX + 1),
        values,
    )
    row = await counted.fetchone()
    return row["n"] if row else 0


async def _expected(
    connection: AsyncConnection[DictRow], statement: Composed, values: Values
) -> int:
    """How many rows the planner expects; it has sampled them, so this costs no look at any."""
    explained = await connection.execute(SQL("EXPLAIN (FORMAT JSON) {}").format(statement), values)
    row = await explained.fetchone()
    return int(row["QUERY PLAN"][0]["Plan"]["Plan Rows"]) if row else 0
