"""Views of the ticket list: those that every desk needs, those that are shared, and a person's own."""

from dataclasses import dataclass
from typing import Any, Final, Literal, LiteralString

from services.query.views.pools import Pool


@dataclass(frozen=True, slots=True)
class SavedView:
    """A view as the address of the list says it. `name`: by which it is changed; of `usual` ones nobody can."""

    name: str
    title: str
    filter: dict[str, str]
    sort: str | None = None
    columns: tuple[str, ...] = ()
    place: int = 0
    kind: Literal["usual", "shared", "mine"] = "usual"


_OPEN: Final = {"is_open": "true"}

USUAL: Final = (
    SavedView("my-open", "My open", {"assignee": "me", **_OPEN}, "due"),
    SavedView(
        "unassigned",
        "Unassigned in my groups",
        {"group": "mine", "assignee": "none", **_OPEN},
        "due",
    ),
    SavedView("due-soon", "Due within 1 h", {"due_within": "60", **_OPEN}, "due"),
    SavedView("at-risk", "At risk", {"at_risk": "true", **_OPEN}, "due"),
    SavedView("breached", "Breached", {"breached": "true", **_OPEN}, "due"),
    SavedView("with-customer", "Waiting for customer", {"status": "pending"}),
    SavedView("nobodys", "All unassigned", {"assignee": "none", **_OPEN}, "due"),
    SavedView("all-open", "All open", _OPEN),
    SavedView("everything", "Everything", {}),
)
"""What anybody who works here asks for every day."""

# A document that names nobody is for everybody.
_STORED: Final[LiteralString] = """
SELECT name, definition, definition ->> 'owner' IS NOT NULL AS is_own FROM configuration
WHERE kind = 'view' AND definition IS NOT NULL AND CASE
    WHEN definition ? 'owner' THEN definition ->> 'owner' = %(me)s
    ELSE (NOT definition ? 'roles' OR definition -> 'roles' ? %(role)s)
        AND (NOT definition ? 'groups' OR EXISTS (
            SELECT FROM agents WHERE agent_id = %(me)s
            AND ARRAY(SELECT jsonb_array_elements_text(definition -> 'groups')) && groups))
END
ORDER BY is_own, coalesce((definition ->> 'place')::int, 0), definition ->> 'title', name
LIMIT %(limit)s
"""

VIEWS_MAX: Final = 100
"""More views than one looks through are a list of their own."""


async def views_of(pool: Pool, person: str, role: str) -> list[SavedView]:
    """The views that this person is shown: usual, shared, own; each kind in the order of its places."""
    async with pool.connection() as connection:
        found = await connection.execute(_STORED, {"me": person, "role": role, "limit": VIEWS_MAX})
        rows = await found.fetchall()
    return [*USUAL, *(_view(row, person) for row in rows)]


def _view(row: dict[str, Any], person: str) -> SavedView:
    told = row["definition"]
    return SavedView(
        name=row["name"].removeprefix(f"{person}/") if row["is_own"] else row["name"],
        title=told["title"],
        filter=told.get("filter", {}),
        sort=told.get("sort"),
        columns=tuple(told.get("columns", ())),
        place=told.get("place", 0),
        kind="mine" if row["is_own"] else "shared",
    )
