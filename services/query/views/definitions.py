"""The house's custom fields, ticket types and forms, as its configuration defines them now."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, LiteralString

from services.query.views.pools import Pool

_STATEMENT: Final[LiteralString] = (
    "SELECT kind, name, definition FROM configuration"
    " WHERE kind IN ('field', 'ticket_type', 'form') AND definition IS NOT NULL ORDER BY kind, name"
)

Named = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Definitions:
    """Name → definition, as intake stores it (defaults left away): see `GET /v1/fields` and its neighbours."""

    fields: Named = field(default_factory=dict)
    types: Named = field(default_factory=dict)
    forms: Named = field(default_factory=dict)

    def label(self, name: str) -> str:
        """What people call the field; one that nobody defined is its own label."""
        return str(self.fields.get(name, {}).get("label", name))

    def type_label(self, name: str) -> str:
        """What people call the ticket type."""
        return str(self.types.get(name, {}).get("label", name))


async def definitions_now(pool: Pool) -> Definitions:
    """All of them: some hundred small documents."""
    found: dict[str, dict[str, Mapping[str, Any]]] = {"field": {}, "ticket_type": {}, "form": {}}
    async with pool.connection() as connection:
        for row in await (await connection.execute(_STATEMENT)).fetchall():
            found[row["kind"]][row["name"]] = row["definition"]
    return Definitions(found["field"], found["ticket_type"], found["form"])
