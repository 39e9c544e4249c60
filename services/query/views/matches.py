"""Tickets that are found by rows of other tables: words in the search document, tags and custom fields in `facets`.

Such a condition has two forms. As a set, its tickets are looked up at once, by an index of the other table; as a test,
it is put to one ticket after the other. Few matches are gathered whole and then put into the list's order; many are met
soon by walking the list in its order and testing each. Either is a hundred times too slow for the other's case, so what
each would cost is reckoned first (`effort`), by counts up to a bound and by what the planner expects beyond it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, LiteralString

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from psycopg.sql import SQL, Composed, Identifier

from services.query.facets import FIELD, OWN, TAG
from services.query.views import effort
from services.query.views.fields import kinds_of
from services.query.views.list_filter import TicketFilter
from services.query.views.phrases import candidates
from services.query.views.scope import Scope
from services.query.views.text_query import TextQuery, query_of
from services.query.views.values import Values

COUNTED_MAX: Final = 6_000
"""Beyond, the planner's sample is good enough."""

MEASURED_MAX: Final = 10 * COUNTED_MAX
"""Up to here the planner's word is checked: of words that no sample holds it expects thousands, and a walk for one that
is nowhere would test every ticket."""

_PHRASE_KEPT: Final = 0.05
"""Of the tickets with the words of a phrase so many have it, perhaps: nothing tells."""

_PAIRS_KEPT: Final = 0.7
"""And of those with its pairs of words: all if it has two words, and pairs are counted together with a few others."""

_WORD_LOOKED_UP: Final = 3.0
"""Microseconds for a document that has the words, as one of a set or as one of a number."""

_COST: Final = 5.0
"""Microseconds of one unit of the planner's."""

_SAMPLED: Final[LiteralString] = """
SELECT FROM pg_stats WHERE schemaname = current_schema() AND tablename = 'search_documents' AND attname = 'everything'
    AND most_common_elems::text::text[] && %s
"""
_QUOTED: Final = re.compile(r"'([^']+)'")


@dataclass(frozen=True, slots=True)
class Walk:
    """How a list goes in its order. `passed`: what passing by one ticket costs (`effort`).

    `is_within`: an index holds just the tickets that fulfil the conditions on the ticket itself, in this order.
    """

    passed: float = effort.PASSED_IN_INDEX
    is_within: bool = False


@dataclass(frozen=True, slots=True)
class Matches:
    """Conditions on a row `t` of `tickets`: as sets and what is `left` to test, for gathering; all as tests."""

    sets: list[Composed]
    left: list[Composed]
    tests: list[Composed]
    way: effort.Way


@dataclass(frozen=True, slots=True)
class _Elsewhere:
    """One condition on rows of another table: the tickets that fulfil it, and as test of one; `rows`: that table's.

    A set whose part is not wholly kept holds more than the test lets pass.
    """

    as_set: Composed
    as_test: Composed
    rows: Composed
    part: effort.Part


@dataclass(frozen=True, slots=True)
class _Expected:
    rows: int
    cost: float


async def matches(
    connection: AsyncConnection[DictRow],
    wanted: TicketFilter,
    conditions: Sequence[SQL | Composed],
    values: Values,
    scope: Scope,
    *,
    page: int,
    walk: Walk,
) -> Matches:
    """What the filter asks of other tables, and the cheapest way to it.

    Args:
        connection: to the projections.
        wanted: the filter.
        conditions: those of the filter on `tickets` alone; the first is that of every list.
        values: those of all conditions; ours are added.
        scope: whose notes are not searched.
        page: rows wanted.
        walk: the list in its order.

    Raises:
        Invalid: a field or its value does not exist.
    """
    found = [
        await _facet(
            connection, TAG, SQL("f.value = {}").format(values.put(tag)), values, is_entry=True
        )
        for tag in wanted.tag
    ]
    for name in OWN:
        if words := getattr(wanted, name):
            one_of = SQL(" OR ").join(
                SQL("f.value = {}").format(values.put(word)) for word in words
            )
            one_of = SQL("({})").format(one_of)
            found.append(await _facet(connection, name, one_of, values, is_entry=len(words) == 1))
    kinds = await kinds_of(connection, [wish.name for wish in wanted.fields])
    for wish in wanted.fields:
        test = kinds[wish.name].test(wish.wanted, values)
        found.append(await _facet(connection, FIELD + wish.name, test, values))
    if wanted.q:
        found.append(await _containing(connection, wanted.q, values, scope))
    found.sort(key=lambda each: each.part.about)
    tickets = SQL("SELECT FROM tickets AS t WHERE {}")
    own = await _expected(connection, tickets.format(SQL(" AND ").join(conditions)), values)
    all_of_them = await _expected(connection, tickets.format(conditions[0]), values)
    field = effort.Field(
        everything=all_of_them.rows,
        own=min(own.rows, all_of_them.rows),
        found=min(own.cost * _COST, all_of_them.rows * effort.PASSED_IN_INDEX),
        ordered=own.rows if walk.is_within else all_of_them.rows,
        passed=walk.passed,
        page=page,
    )
    way = effort.cheapest(field, [each.part for each in found])
    if not way.is_gathered and await _is_seldom(connection, found, values):
        way = effort.Way(is_gathered=True, sets=1)
    return Matches(
        _in_all([each.as_set for each in found[: way.sets]]),
        _left(found, way.sets),
        [_known(found[0]), *_left(found, 1)] if way.is_known else _left(found, 0),
        way,
    )


def _left(found: Sequence[_Elsewhere], sets: int) -> list[Composed]:
    """The tests that remain for tickets of so many sets."""
    left = [*found[sets:], *(each for each in found[:sets] if each.part.kept < 1)]
    return [each.as_test for each in left]


def _known(each: _Elsewhere) -> Composed:
    """Whether a ticket is in the set. IS TRUE: else the planner would join, and leave the order of the walk."""
    return SQL("(t.ticket_id IN ({})) IS TRUE").format(each.as_set)


def _in_all(sets: Sequence[Composed]) -> list[Composed]:
    """The condition that a ticket is in each of these sets; none if there is no set."""
    if not sets:
        return []
    # Joined: rows of a single value stand in the order of their tickets, so two such sets are merged as they are read.
    joined = SQL(" JOIN ").join(
        SQL("({}) AS {}").format(each, Identifier(f"set_{number}"))
        + (SQL(" USING (ticket_id)") if number else SQL(""))
        for number, each in enumerate(sets)
    )
    return [SQL("t.ticket_id IN (SELECT ticket_id FROM {})").format(joined)]


async def _is_seldom(
    connection: AsyncConnection[DictRow], found: Sequence[_Elsewhere], values: Values
) -> bool:
    """Whether the smallest set is small against the planner's word."""
    if not found or not found[0].part.checked:
        return False
    return await _counted(connection, found[0].rows, values) <= COUNTED_MAX


async def _facet(
    connection: AsyncConnection[DictRow],
    name: str,
    test: Composed,
    values: Values,
    *,
    is_entry: bool = False,
) -> _Elsewhere:
    """`is_entry`: the test is for a single value, so one entry of the primary key's index answers it for a ticket."""
    named = SQL("f.name = {}").format(values.put(name))
    all_rows = SQL("SELECT f.ticket_id FROM facets AS f WHERE {}")
    both = SQL("{} AND {}").format(named, test)
    rows = all_rows.format(both)
    about = await _counted(connection, rows, values)
    if about > COUNTED_MAX:
        # A value belongs to its name, and the planner multiplies the two as if any name had it.
        by_name = await _expected(connection, all_rows.format(named), values)
        by_value = await _expected(connection, all_rows.format(test), values)
        about = max(about, min(by_name.rows, by_value.rows))
    if is_entry:
        entry = SQL(
            "(SELECT true FROM facets AS f WHERE {} AND f.ticket_id = t.ticket_id OFFSET 0)"
        )
        part = effort.Part(about, looked_up=0.25, tested=1.5)
        return _Elsewhere(rows, entry.format(both), rows, part)
    return _Elsewhere(
        rows,
        # OFFSET 0, here and below, keeps it a question about each row: as a join, the planner would gather all. It is
        # asked of the ticket's few rows: by a range's own index each ticket would be looked for at number after number.
        SQL(
            "(SELECT true FROM (SELECT * FROM facets AS f WHERE f.ticket_id = t.ticket_id OFFSET 0) AS f"
            " WHERE {} LIMIT 1)"
        ).format(both),
        rows,
        effort.Part(about, looked_up=0.25, tested=6.0),
    )


async def _containing(
    connection: AsyncConnection[DictRow], words: str, values: Values, scope: Scope
) -> _Elsewhere:
    asked = await query_of(connection, words)
    query, in_any_order = asked.whole, asked.in_any_order
    has_phrase = in_any_order != query
    rows = SQL("SELECT d.ticket_id FROM search_documents AS d WHERE d.everything @@ {}::tsquery")
    in_index = rows.format(values.put(in_any_order))
    # Notes are not in the public document, so no customer can find a ticket by what a note says.
    document = SQL("d.everything" if scope.sees_internal else "coalesce(d.public, d.everything)")
    seen = SQL("{} @@ {}::tsquery").format(document, values.put(query))
    expected = await _expected(connection, in_index, values)
    as_test = SQL(
        "(SELECT {} FROM search_documents AS d WHERE d.ticket_id = t.ticket_id OFFSET 0)"
    ).format(seen)
    if has_phrase and (by_pairs := await candidates(connection, query, values)):
        # The planner has met every pair that is not rare, so what it expects can be relied on.
        about = (await _expected(connection, by_pairs, values)).rows
        if about < expected.rows:
            part = effort.Part(about, looked_up=2.5, tested=6.0, kept=_PAIRS_KEPT)
            return _Elsewhere(SQL("{} OFFSET 0").format(by_pairs), as_test, by_pairs, part)
    is_whole = scope.sees_internal or has_phrase  # a phrase is tested for in any case
    is_certain = expected.rows > MEASURED_MAX or (
        words.isalnum() and await _is_sampled(connection, asked)
    )
    return _Elsewhere(
        # OFFSET 0 keeps it a set: the planner takes testing a document for as cheap as comparing a number.
        SQL("{} OFFSET 0" if is_whole else "{} AND {} OFFSET 0").format(in_index, seen),
        as_test,
        in_index,
        effort.Part(
            expected.rows,
            looked_up=_WORD_LOOKED_UP,
            tested=4.5,
            kept=_PHRASE_KEPT if has_phrase else 1.0,
            checked=0.0 if is_certain else min(expected.rows, COUNTED_MAX + 1) * _WORD_LOOKED_UP,
        ),
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
        SQL("SELECT count(*) AS n FROM ({} LIMIT {}) AS found").format(statement, COUNTED_MAX + 1),
        values,
    )
    row = await counted.fetchone()
    return row["n"] if row else 0


async def _expected(
    connection: AsyncConnection[DictRow], statement: Composed, values: Values
) -> _Expected:
    """What the planner expects; it has sampled the rows, so this costs no look at any."""
    explained = await connection.execute(SQL("EXPLAIN (FORMAT JSON) {}").format(statement), values)
    row = await explained.fetchone()
    plan = row["QUERY PLAN"][0]["Plan"] if row else {"Plan Rows": 0, "Total Cost": 0}
    return _Expected(int(plan["Plan Rows"]), float(plan["Total Cost"]))
