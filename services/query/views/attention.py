"""What a ticket's group says about writing at the same time."""

from uuid import UUID

from services.query.views.pools import Pool
from shared.errors import NotFound


async def is_one_writer(pool: Pool, ticket_id: UUID) -> bool:
    """Whether the ticket's group lets one person write at a time.

    Raises:
        NotFound: there is no such ticket.
    """
    async with pool.connection() as connection:
        found = await connection.execute(
            "SELECT coalesce(g.one_writer, false) AS one_writer FROM tickets t"
            " LEFT JOIN groups g USING (group_id) WHERE t.ticket_id = %s AND t.version > 0",
            (ticket_id,),
        )
        row = await found.fetchone()
    if row is None:
        raise NotFound(f"there is no ticket {ticket_id}")
    return bool(row["one_writer"])
