"""Known persons and organisations: found by words, and one with the tickets of all their addresses."""

import asyncio
import re
from typing import Any, Final, LiteralString
from uuid import UUID

import msgspec
from msgspec.structs import asdict
from psycopg.sql import SQL, Composed

from services.query.views.pools import Pool
from shared.errors import NotFound
from shared.events.contacts import Contact, Organization

LISTED_MAX: Final = 100
"""Of a search: who sees a hundred names types another word."""

RECENT_MAX: Final = 5
"""Tickets at hand beside the present one; the list has the rest."""

_LOOK_AGAIN_SECONDS: Final = 0.1
_WORDS_MAX: Final = 10
_WALKED_MAX: Final = 2_000
"""Tested in the order of names before the words are looked up; that takes a millisecond or two."""
_BETWEEN_WORDS: Final = re.compile(r"[\W_]+")
_COLUMNS: Final[LiteralString] = (
    "c.contact_id, c.version, c.definition AS contact, c.merged_into, o.name AS organization_name,"
    " coalesce(c.tier, o.tier) AS tier, c.changed_at"
)
_ORGANIZATION: Final[LiteralString] = (
    " LEFT JOIN organizations AS o ON o.organization_id = c.organization_id"
)
_FROM: Final[LiteralString] = " FROM contacts AS c" + _ORGANIZATION
_RECENT: Final[LiteralString] = """
SELECT t.ticket_id, t.number, t.subject, t.category AS status, t.priority, t.opened_at AS created_at,
    t.updated_at, count(*) OVER () AS total, count(*) FILTER (WHERE t.is_open) OVER () AS open
FROM tickets AS t WHERE t.version > 0 AND t.requester_id = ANY(%s) ORDER BY t.changed_at DESC LIMIT %s
"""


async def find_contacts(
    pool: Pool, words: str | None, *, organization: str | None = None, limit: int = 50
) -> list[dict[str, Any]]:
    """Persons whose name or addresses begin with all of the words, by name; merged ones stand with their other."""
    found = [word for word in _BETWEEN_WORDS.split(words or "") if word][:_WORDS_MAX]
    values = {
        "asked": " & ".join(f"{word.lower()}:*" for word in found),
        "organization": organization,
        "limit": limit,
    }
    test = SQL("c.document @@ to_tsquery('simple', %(asked)s)" if found else "true")
    within = SQL("true" if organization is None else "c.organization_id = %(organization)s")
    # By name among the first ones, as a first letter is met by many; all that an index finds when that gives too few.
    ways = [_people(SQL("true"), test, first=_WALKED_MAX)] if organization is None else []
    ways.append(_people(SQL("{} AND {}").format(within, test), SQL("true"), first=None))
    rows: list[dict[str, Any]] = []
    async with pool.connection() as connection:
        for way in ways:
            rows = await (await connection.execute(way, values)).fetchall()
            if len(rows) == limit:
                break
    return [_whole(row) for row in rows]


def _people(looked_up: SQL | Composed, test: SQL, *, first: int | None) -> Composed:
    """By name: of what is looked up, the `first` or all (a set: else the planner hopes to meet them by name)."""
    return SQL(
        "SELECT {columns} FROM (SELECT c.* FROM contacts AS c WHERE c.merged_into IS NULL AND {looked_up} {which}) AS c"
        "{organization} WHERE {test} ORDER BY c.name NULLS LAST, c.contact_id LIMIT %(limit)s"
    ).format(
        columns=SQL(_COLUMNS),
        looked_up=looked_up,
        which=SQL("OFFSET 0")
        if first is None
        else SQL("ORDER BY c.name NULLS LAST, c.contact_id LIMIT {}").format(first),
        organization=SQL(_ORGANIZATION),
        test=test,
    )


async def find_contact(pool: Pool, contact_id: UUID) -> dict[str, Any]:
    """One person with recent tickets, and who was merged into them.

    Raises:
        NotFound: nobody has this id.
    """
    async with pool.connection() as connection:
        found = await connection.execute(
            SQL("SELECT {}{} WHERE c.contact_id = %s").format(SQL(_COLUMNS), SQL(_FROM)),
            (contact_id,),
        )
        row = await found.fetchone()
        if row is None:
            raise NotFound(f"there is no contact {contact_id}")
        merged = await connection.execute(
            "SELECT contact_id, name, definition AS contact FROM contacts WHERE merged_into = %s"
            " ORDER BY name",
            (contact_id,),
        )
        row["merged"] = [_whole(one) for one in await merged.fetchall()]
        identities = await connection.execute(
            "SELECT identity FROM contact_identities WHERE contact_id = %s", (contact_id,)
        )
        ids = [one["identity"] for one in await identities.fetchall()]
    return _whole(row) | {"identities": sorted(ids)} | await _history(pool, ids)


async def wait_for_contact(
    pool: Pool, contact_id: UUID, version: int, *, seconds_max: float
) -> None:
    """Return once the contact has at least this version, or `seconds_max` have passed: then the page is of before."""
    ends_at = asyncio.get_running_loop().time() + seconds_max
    while asyncio.get_running_loop().time() < ends_at:
        async with pool.connection() as connection:
            found = await connection.execute(
                "SELECT 1 FROM contacts WHERE contact_id = %s AND version >= %s",
                (contact_id, version),
            )
            if await found.fetchone():
                return
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)


async def person_behind(pool: Pool, requester_id: str) -> dict[str, Any]:
    """Who is behind a requester, known (`contact`) or not, with the tickets of all their addresses."""
    async with pool.connection() as connection:
        found = await connection.execute(
            SQL(
                "SELECT {}{} JOIN contact_identities AS i USING (contact_id) WHERE i.identity = %s"
                " ORDER BY c.merged_into IS NULL DESC LIMIT 1"
            ).format(SQL(_COLUMNS), SQL(_FROM)),
            (requester_id,),
        )
        row = await found.fetchone()
        all_ids = await connection.execute("SELECT ids_of_person(%s) AS ids", ([requester_id],))
        ids = await all_ids.fetchone()
    assert ids is not None, "a function gives a row"
    person = _whole(row) if row else {"contact_id": None, "contact": None}
    return person | {"identities": sorted(ids["ids"])} | await _history(pool, ids["ids"])


async def find_organizations(pool: Pool) -> list[dict[str, Any]]:
    """All of them by name, with how many persons are known of each; the first thousand."""
    async with pool.connection() as connection:
        rows = await connection.execute(
            "SELECT o.organization_id, o.version, o.definition AS organization, o.changed_at,"
            " (SELECT count(*) FROM contacts AS c WHERE c.organization_id = o.organization_id"
            "  AND c.merged_into IS NULL) AS contacts_count"
            " FROM organizations AS o ORDER BY o.name, o.organization_id LIMIT 1000"
        )
        found = await rows.fetchall()
    return [
        row | {"organization": asdict(msgspec.convert(row["organization"], Organization))}
        for row in found
    ]


def _whole(row: dict[str, Any]) -> dict[str, Any]:
    """The row with every field of the contact, also those that say nothing."""
    return row | {"contact": asdict(msgspec.convert(row["contact"], Contact))}


async def _history(pool: Pool, ids: list[str]) -> dict[str, Any]:
    async with pool.connection() as connection:
        found = await connection.execute(SQL(_RECENT), (ids, RECENT_MAX))
        tickets = await found.fetchall()
    total, is_open = (tickets[0]["total"], tickets[0]["open"]) if tickets else (0, 0)
    for ticket in tickets:
        del ticket["total"], ticket["open"]
    return {"tickets": tickets, "tickets_total": total, "tickets_open": is_open}
