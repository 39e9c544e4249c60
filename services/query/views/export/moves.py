"""Which rows of a view moved in a range of transactions, as SQL.

A row stands at the position of the newest change of anything it shows. Most views show one table, whose index finds
their rows. Others show names and statuses of more (`Entity.touched`): a row of those is found by each of its tables,
and told once, at the newest.
"""

from typing import Final, LiteralString

from psycopg.sql import SQL, Composed, Identifier

from services.query.views.export.entities import Entity

_AHEAD: Final = SQL(
    "position >= %(position)s AND position < %(horizon)s"
    " AND (%(unit)s::text IS NULL OR (position, unit) > (%(position)s, %(unit)s))"
)
_WITHIN: Final[LiteralString] = (
    "{position} >= %(position)s AND (%(unit)s::text IS NULL"
    ' OR ({position}, ({unit}) COLLATE "C") > (%(position)s, %(unit)s))'
    ' AND {position} <= %(last)s AND ({position} < %(last)s OR ({unit}) COLLATE "C" <= %(last_unit)s)'
)
_GONE: Final = SQL(
    "SELECT position, unit FROM ("
    'SELECT change_tx AS position, key COLLATE "C" AS unit FROM tombstones WHERE source = %(source)s) AS m'
    " WHERE {} ORDER BY 1, 2 LIMIT %(limit)s"
).format(_AHEAD)


def within(position: LiteralString, unit: LiteralString) -> Composed:
    """The condition that a row stands on the page; parameters as of `pages`."""
    return SQL(_WITHIN).format(position=SQL(position), unit=SQL(unit))


def end_of_page(entity: Entity) -> Composed:
    """The place of the `limit`-th row ahead, tombstones among them; no row: there are fewer."""
    own = SQL("SELECT position, unit FROM ({}) AS m WHERE {}").format(_own(entity), _AHEAD)
    if entity.touched is None:
        ways = SQL("({} ORDER BY 1, 2 LIMIT %(limit)s) UNION ALL ({})").format(own, _GONE)
        before = SQL("").format()
    else:
        # What others moved bounds the search among rows that moved by themselves: most of those may have moved again.
        before = SQL(
            "WITH touched AS MATERIALIZED (SELECT DISTINCT position, unit FROM ({}) AS m WHERE {} AND {}"
            " ORDER BY 1, 2 LIMIT %(limit)s) "
        ).format(_touched(entity), _AHEAD, _newest(entity))
        bound = SQL(
            "position <= coalesce((SELECT max(position) FROM touched HAVING count(*) = %(limit)s), %(horizon)s)"
        )
        ways = SQL(
            "SELECT * FROM touched UNION ALL ({} AND {} AND {} ORDER BY 1, 2 LIMIT %(limit)s) UNION ALL ({})"
        ).format(own, bound, _newest(entity), _GONE)
    return SQL(
        "{}SELECT position, unit FROM ({}) AS moved ORDER BY 1, 2 OFFSET %(limit)s - 1 LIMIT 1"
    ).format(before, ways)


def rows_of_page(entity: Entity, columns: Composed) -> Composed:
    """`export_position`, unit and these columns of every row on the page, in order."""
    rows = SQL(
        'SELECT export_position, ({unit}) COLLATE "C" AS _unit, {columns} FROM bi.{view} AS v'
    ).format(unit=SQL(entity.unit), columns=columns, view=Identifier(entity.name))
    if entity.touched is None:
        return SQL("{} WHERE {} ORDER BY 1, 2").format(rows, within("export_position", entity.unit))
    # OFFSET 0: row by row. A plan that joins may work the whole view out first, also for a page without rows.
    return SQL(
        "SELECT v.* FROM ({}) AS moved CROSS JOIN LATERAL ({} WHERE v.ticket_id = moved_ticket AND ({}) = moved_unit"
        " AND export_position = moved_at OFFSET 0) AS v ORDER BY 1, 2"
    ).format(_moved(entity), rows, SQL(entity.unit))


def behind_the_horizon(entity: Entity) -> Composed:
    """How many rows, up to `most`, moved in transactions that are not told yet."""
    ways = [_own(entity), *([] if entity.touched is None else [_touched(entity)])]
    waiting = SQL(" UNION ALL ").join(
        SQL("(SELECT FROM ({}) AS m WHERE position >= %(horizon)s LIMIT %(most)s)").format(way)
        for way in ways
    )
    return SQL("SELECT count(*) AS count FROM (SELECT FROM ({}) AS w LIMIT %(most)s) AS w").format(
        waiting
    )


def _own(entity: Entity) -> Composed:
    ticket = SQL("") if entity.touched is None else SQL(", ticket_id")
    return SQL('SELECT change_tx AS position, ({}) COLLATE "C" AS unit{} FROM {} WHERE {}').format(
        SQL(entity.source_unit), ticket, Identifier(entity.source), SQL(entity.chosen)
    )


def _touched(entity: Entity) -> Composed:
    return SQL('SELECT position, unit COLLATE "C" AS unit, ticket_id FROM ({}) AS t').format(
        SQL(entity.touched or "")
    )


def _newest(entity: Entity) -> Composed:
    """Nothing else moved the row later. A value and no join: it is asked of the few rows of a page."""
    return SQL(
        "position = (SELECT v.export_position FROM bi.{} AS v WHERE v.ticket_id = m.ticket_id AND ({}) = m.unit)"
    ).format(Identifier(entity.name), SQL(entity.unit))


def _moved(entity: Entity) -> Composed:
    return SQL(" UNION ").join(
        SQL(
            "SELECT position AS moved_at, ticket_id AS moved_ticket, unit AS moved_unit FROM ({}) AS m WHERE {}"
        ).format(way, within("position", "unit"))
        for way in (_own(entity), _touched(entity))
    )
