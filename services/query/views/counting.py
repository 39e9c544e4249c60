"""How many tickets a list has: exactly up to a bound, and as far as the time reaches."""

from dataclasses import dataclass
from time import monotonic
from typing import Final

from psycopg import AsyncConnection
from psycopg.errors import QueryCanceled
from psycopg.rows import DictRow
from psycopg.sql import SQL

from services.query.views.list_filter import TicketFilter, conditions_of, named
from services.query.views.matches import Walk, matches
from services.query.views.pools import Pool
from services.query.views.scope import Scope

_STEP: Final = 100
"""Tickets counted before the clock is looked at first; after that as many again as there are."""


@dataclass(frozen=True, slots=True)
class Counted:
    """`count` tickets were met; `is_whole`: it was not the time that ended it."""

    count: int
    is_whole: bool


async def count_tickets(
    pool: Pool, wanted: TicketFilter, scope: Scope, *, at_most: int, seconds_max: float
) -> Counted:
    """How many tickets the list has, counted no further than `at_most` and about as long as `seconds_max`.

    Raises:
        Invalid: a field or its value does not exist.
    """
    met = 0
    async with pool.connection() as connection:
        try:
            async with connection.transaction():
                await connection.execute(
                    "SELECT set_config('statement_timeout', %s, true)",
                    (str(max(1, round(seconds_max * 1_000))),),
                )
                until = monotonic() + seconds_max
                if not await _opened(connection, wanted, scope, at_most):
                    return Counted(0, is_whole=True)
                while True:
                    step = max(_STEP, met)
                    # Nothing is sent: PostgreSQL says how many rows it passed.
                    moved = await connection.execute(SQL("MOVE FORWARD {} IN counted").format(step))
                    met += moved.rowcount
                    if moved.rowcount < step:
                        return Counted(met, is_whole=True)
                    if monotonic() >= until:
                        return Counted(met, is_whole=False)
        except QueryCanceled:
            return Counted(met, is_whole=False)


async def _opened(
    connection: AsyncConnection[DictRow], wanted: TicketFilter, scope: Scope, at_most: int
) -> bool:
    """Open the cursor `counted` over the list's tickets; False: there can be none."""
    asked = await named(connection, wanted, scope)
    if asked is None:
        return False
    conditions, values = conditions_of(asked)
    found = await matches(
        connection, asked.wanted, conditions, values, scope, page=at_most, walk=Walk()
    )
    ours = found.sets + found.left if found.way.is_gathered else found.tests
    # Planned to be read to its end; of a cursor the planner expects a tenth to be read.
    await connection.execute("SET LOCAL cursor_tuple_fraction = 1")
    await connection.execute(
        SQL(
            "DECLARE counted NO SCROLL CURSOR FOR SELECT FROM tickets AS t WHERE {} LIMIT {}"
        ).format(SQL(" AND ").join([*conditions, *ours]), at_most),
        values,
    )
    return True
