"""Tickets that are found by rows of other tables: words in the search document, tags and custom fields in `facets`.

Such a condition has two forms. As a set, its tickets are looked up at once, by an index of the other table; as a test,
it is put to one ticket after the other. Few matches are gathered whole and then put into the list's order; many are met
soon by walking the list in its order and testing each. Either is a hundred times too slow for the other's case, so the
smallest set is measured first, or estimated by the planner where measuring would be looking it up. Within a group more
are gathered: a walk passes by what is of other groups, and looking up both and keeping what is in both costs little.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import sqrt
from typing import Final, LiteralString

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from psycopg.sql import SQL, Composed

from services.query.facets import OWN, TAG
from services.query.views.fields import kinds_of
from services.query.views.list_filter import TicketFilter
from services.query.views.scope import Scope
from services.query.views.text_query import TextQuery, query_of
from services.query.views.values import Values

GATHERED_MAX: Final = 6_000
"""Without other conditions. Each match costs a look into an index or a page at another place, and so does each ticket
that is tested: with a million tickets, looking so many up is as dear as walking until fifty are found."""

_PASSED: Final = 0.15
"""What it costs a walk to pass by a ticket of another group, beside testing one: measured with a million tickets and
groups of 1 to 10 % of them. Who passes by more gathers more."""

_GATHERED_A_TEST: Final = 6
"""So many matches are gathered by an index in the time in which one ticket is tested."""

MEASURED_MAX: Final = 10 * GATHERED_MAX
"""Up to here the planner's word is checked: of words that no sample holds it expects thousands, and a walk for one that
is nowhere would test every ticket."""

_SAMPLED: Final[LiteralString] = """
SELECT FROM pg_stats WHERE schemaname = current_schema() AND tablename = 'search_documents' AND attname = 'everything'
    AND most_common_elems::text::text[] && %s
"""
_QUOTED: Final = re.compile(r"'([^']+)'")


@dataclass(frozen=True, slots=True)
class Matches:
    """Conditions on a row `t` of `tickets`. `is_gathered`: few fulfil them all, so they are looked up together."""

    conditions: list[SQL | Composed]
    is_gathered: bool = False


@dataclass(frozen=True, slots=True)
class _Elsewhere:
    """One condition on rows of another table, in both forms; `rows`: that table's, `about` so many.

    `is_known`: that was counted, or the planner has met it in its sample.
    """

    as_set: Composed
    as_test: Composed
    rows: Composed
    about: int
    is_known: bool


async def matches(
    connection: AsyncConnection[DictRow],
    wanted: TicketFilter,
    conditions: Sequence[SQL | Composed],
    values: Values,
    scope: Scope,
    *,
    passes_by: bool = True,
) -> Matches:
    """What the filter asks of other tables.

    Args:
        connection: to the projections.
        wanted: the filter.
        conditions: those of the filter on `tickets` alone; the first is that of every list.
        values: those of all conditions; ours are added.
        scope: whose notes are not searched. A customer's tickets are few, so each of them is tested.
        passes_by: whether a walk in the list's order also meets tickets of other groups.

    Raises:
        Invalid: a field or its value does not exist.
    """
    found = [await _tagged(connection, tag, values) for tag in wanted.tag]
    for name in OWN:
        if words := getattr(wanted, name):
            one_of = SQL("f.name = {} AND f.value = ANY({})").format(
                values.put(name), values.put(list(words))
            )
            found.append(await _facet(connection, one_of, values))
    kinds = await kinds_of(connection, [wish.name for wish in wanted.fields])
    for wish in wanted.fields:
        test = kinds[wish.name].test(wish.wanted, values)
        found.append(await _facet(connection, test, values))
    if wanted.q:
        found.append(await _containing(connection, wanted.q, values, scope))
    if not found:
        return Matches([])
    smallest = min(found, key=lambda each: each.about)
    is_gathered = scope.sees_internal and await _is_worth_gathering(
        connection, smallest, conditions if passes_by else conditions[:1], values
    )
    return Matches([each.as_set if is_gathered else each.as_test for each in found], is_gathered)


async def _is_worth_gathering(
    connection: AsyncConnection[DictRow],
    found: _Elsewhere,
    conditions: Sequence[SQL | Composed],
    values: Values,
) -> bool:
    if found.about <= GATHERED_MAX:
        return True
    tickets = SQL("SELECT FROM tickets AS t WHERE {}")
    rest = await _expected(connection, tickets.format(SQL(" AND ").join(conditions)), values)
    everything = await _expected(connection, tickets.format(conditions[0]), values)
    passed = everything / max(rest, 1) - 1
    if found.about <= min(
        GATHERED_MAX * sqrt(1 + _PASSED * max(passed, 0)), _GATHERED_A_TEST * rest, MEASURED_MAX
    ):
        return True
    if found.is_known or found.about > MEASURED_MAX:
        return False
    return await _counted(connection, found.rows, values) <= GATHERED_MAX


async def _tagged(connection: AsyncConnection[DictRow], tag: str, values: Values) -> _Elsewhere:
    test = SQL("f.name = {} AND f.value = {}").format(values.put(TAG), values.put(tag))
    found = await _facet(connection, test, values)
    # A walk that reads the tickets' rows has their tags at hand.
    return replace(found, as_test=SQL("t.tags @> {}").format(values.put([tag])))


async def _facet(
    connection: AsyncConnection[DictRow], test: Composed, values: Values
) -> _Elsewhere:
    rows = SQL("SELECT f.ticket_id FROM facets AS f WHERE {}").format(test)
    about = await _counted(connection, rows, values)
    if about > GATHERED_MAX:
        about = max(about, await _expected(connection, rows, values))
    return _Elsewhere(
        SQL("t.ticket_id IN ({})").format(rows),
        # OFFSET 0, here and below, keeps it a question about each row: as a join, the planner would gather all.
        SQL(
            "(SELECT true FROM facets AS f WHERE f.ticket_id = t.ticket_id AND {} LIMIT 1 OFFSET 0)"
        ).format(test),
        rows,
        about,
        is_known=True,
    )


async def _containing(
    connection: AsyncConnection[DictRow], words: str, values: Values, scope: Scope
) -> _Elsewhere:
    # Notes are not in the public document, so no customer can find a ticket by what a note says.
    document = SQL("d.everything" if scope.sees_internal else "coalesce(d.public, d.everything)")
    asked = await query_of(connection, words)
    query = values.put(asked.whole)
    rows = SQL("SELECT d.ticket_id FROM search_documents AS d WHERE d.everything @@ {}::tsquery")
    in_index = rows.format(query)
    return _Elsewhere(
        # OFFSET 0 keeps it a set: the planner takes testing a document for as cheap as comparing a number.
        SQL("t.ticket_id IN ({} OFFSET 0)").format(in_index),
        SQL(
            "(SELECT {} @@ {}::tsquery FROM search_documents AS d WHERE d.ticket_id = t.ticket_id OFFSET 0)"
        ).format(document, query),
        in_index,
        await _expected(connection, in_index, values),
        is_known=words.isalnum() and await _is_sampled(connection, asked),
    )


async def _is_sampled(connection: AsyncConnection[DictRow], asked: TextQuery) -> bool:
    """Whether the sample holds the word; looking up thousands only to count them takes as long as the list."""
    found = await connection.execute(_SAMPLED, (_QUOTED.findall(asked.wanted),))
    return await found.fetchone() is not None


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
