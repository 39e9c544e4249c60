"""Reading a sensitive ticket is itself recorded: who, when, which, why it counts as sensitive. Before it is shown."""

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from fastapi import Request

from services.query.settings import Settings
from shared.database import Database
from shared.events import Actor
from shared.http.origin import Origin
from shared.identifiers import new_id
from shared.security import Principal

TABLE: Final = "reads"
_TYPE: Final = "ticket.read.v1"


class Read(msgspec.Struct, frozen=True, tag_field="type", tag=_TYPE):
    """One reading, as it is stored and sealed. `reasons`: `internal`, `tag:vip`, `type:hr`, `field:iban`."""

    ticket_id: UUID
    number: int
    ticket_version: int
    reasons: tuple[str, ...]
    path: str
    actor: Actor
    via: str
    correlation_id: str
    recorded_at: datetime


class Sensitivity:
    """Which tickets are sensitive.

    Args:
        settings: tags, types and custom fields by name, and whether internal tickets are.
    """

    def __init__(self, settings: Settings) -> None:
        self._tags = _names(settings.sensitive_tags)
        self._types = _names(settings.sensitive_types)
        self._fields = _names(settings.sensitive_fields)
        self._internal = settings.sensitive_internal

    def reasons(self, ticket: dict[str, Any]) -> tuple[str, ...]:
        """Why this ticket is sensitive; empty when it is not. The ticket as agents see it."""
        found = [f"tag:{tag}" for tag in ticket["tags"] if tag in self._tags]
        if ticket["type"] in self._types:
            found.append(f"type:{ticket['type']}")
        found += [f"field:{name}" for name in ticket["fields"] if name in self._fields]
        if self._internal and ticket["is_internal"]:
            found.append("internal")
        return tuple(sorted(found))


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
        if principal.is_customer or not (reasons := self._sensitivity.reasons(ticket)):
            return
        origin = Origin.of(request, principal)
        read = Read(
            ticket_id=ticket["ticket_id"],
            number=ticket["number"],
            ticket_version=ticket["version"],
            reasons=reasons,
            path=request.url.path,
            actor=origin.actor,
            via=origin.via.value,
            correlation_id=origin.correlation_id,
            recorded_at=datetime.now(UTC),
        )
        pool = await self._store.pool()
        async with pool.connection() as connection, connection.transaction():
            # Insert order is commit order, as in an event table: the sealer follows it.
            await connection.execute("LOCK TABLE reads IN EXCLUSIVE MODE")
            await connection.execute(
                "INSERT INTO reads (originator_id, originator_version, topic, state, ticket_id, recorded_at, actor_id)"
                " VALUES (%s, 1, %s, %b, %s, %s, %s)",
                (
                    *(new_id(), _TYPE, msgspec.json.encode(read)),
                    *(read.ticket_id, read.recorded_at, read.actor.id),
                ),
            )


def _names(text: str) -> frozenset[str]:
    return frozenset(name.strip() for name in text.split(",") if name.strip())
