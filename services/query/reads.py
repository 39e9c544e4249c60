"""Reading a sensitive ticket is itself recorded: who, when, which, why it counts as sensitive. Before it is shown."""

from collections.abc import Iterable
from typing import Any, Final, LiteralString
from uuid import UUID

from fastapi import Request

from services.query.own_log import Read, append, stamp
from services.query.settings import Settings
from shared.database import Database
from shared.security import Principal
from shared.sensitivity import Sensitivity

_TICKETS: Final[LiteralString] = """
SELECT ticket_id, number, version, ticket_type AS type, tags, fields, is_internal FROM tickets
WHERE ticket_id = ANY(%s) ORDER BY number
"""


class Reads:
    """Records readings in this service's own database.

    Args:
        store: of this service.
        settings: what is sensitive.
    """

    def __init__(self, store: Database, settings: Settings) -> None:
        self._store = store
        self._sensitivity = Sensitivity(settings)

    async def note(self, request: Request, principal: Principal, ticket: dict[str, Any]) -> None:
        """Record that this caller reads this ticket, if it is sensitive. Returns after the commit.

        It is called before anything is shown: what cannot be recorded is not shown (503), so no reading is lost.
        Customers read their own tickets; that is not recorded.

        Raises:
            psycopg.Error: the database is away.
        """
        await self._record(request, principal, [ticket])

    def withhold(self, principal: Principal, tickets: Iterable[dict[str, Any]]) -> None:
        """A list is not recorded, so it shows the staff no sensitive field; customers see their own tickets whole."""
        if not principal.is_customer:
            self._sensitivity.withhold(tickets)

    async def note_of(
        self, request: Request, principal: Principal, ticket_ids: Iterable[UUID]
    ) -> None:
        """The same for what is shown of several tickets: words of their messages, or their events.

        Raises:
            psycopg.Error: the database is away.
        """
        wanted = list(set(ticket_ids))
        if principal.is_customer or not wanted or not self._sensitivity.is_possible:
            return
        pool = await self._store.pool()
        async with pool.connection() as connection:
            found = await connection.execute(_TICKETS, (wanted,))
            tickets = await found.fetchall()
        await self._record(request, principal, tickets)

    async def _record(
        self, request: Request, principal: Principal, tickets: list[dict[str, Any]]
    ) -> None:
        if principal.is_customer:
            return
        reasons = [(ticket, _reasons(self._sensitivity, ticket)) for ticket in tickets]
        common = stamp(request, principal)
        reads = [
            Read(
                ticket_id=ticket["ticket_id"],
                number=ticket["number"],
                ticket_version=ticket["version"],
                reasons=why,
                path=request.url.path,
                **common,
            )
            for ticket, why in reasons
            if why
        ]
        if not reads:
            return
        pool = await self._store.pool()
        async with pool.connection() as connection, connection.transaction():
            await append(connection, *reads)


def _reasons(sensitivity: Sensitivity, ticket: dict[str, Any]) -> tuple[str, ...]:
    """The ticket as agents see it."""
    return sensitivity.reasons(
        tags=ticket["tags"],
        ticket_type=ticket["type"],
        fields=ticket["fields"],
        is_internal=ticket["is_internal"],
    )
