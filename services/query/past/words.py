"""Which tickets had the words at an instant: in the documents that their events up to then come to.

The documents are made by the statement that makes those of the present.
"""

from uuid import UUID

from psycopg.sql import SQL, Composed

from services.query.projections.tables import as_json
from services.query.projections.writes import DOCUMENTS, Writes
from services.query.views.pools import Pool
from services.query.views.text_query import TextQuery

_HAS: Composed = SQL("SELECT ticket_id FROM ({}) AS d WHERE everything @@ %s::tsquery").format(
    SQL(DOCUMENTS)
)


async def having(pool: Pool, written: Writes, asked: TextQuery) -> set[UUID]:
    """The tickets that are found by what was `written` until then."""
    documents = as_json(list(written.documents()))
    async with pool.connection() as connection:
        found = await connection.execute(_HAS, (documents, asked.whole))
        return {row["ticket_id"] for row in await found.fetchall()}
