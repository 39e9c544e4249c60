"""Articles of the knowledge base as people who work here look through them; found by words in intake."""

import asyncio
from typing import Any, Final
from uuid import UUID

from services.query.views.pools import Pool
from shared.errors import NotFound
from shared.events.configuration import configuration_stream

LISTED_MAX: Final = 500
"""A page that somebody looks through; intake's search has no such list."""

DEFAULTS: Final[dict[str, Any]] = {
    "title": "", "body": "", "language": "en", "tags": [], "audience": "internal", "status": "draft",
    "promoted_from": None,
}  # fmt: skip
"""What an article is where nothing else was written (intake leaves defaults away)."""

_LOOK_AGAIN_SECONDS: Final = 0.1


async def find_articles(
    pool: Pool, *, status: str | None = None, audience: str | None = None
) -> list[dict[str, Any]]:
    """Articles by title: `name`, `version`, `article` (what was written), `changed_at`."""
    async with pool.connection() as connection:
        found = await connection.execute(
            "SELECT name, version, definition AS article, changed_at FROM configuration"
            " WHERE kind = 'article' AND definition IS NOT NULL"
            " AND (%(status)s::text IS NULL OR coalesce(definition ->> 'status', 'draft') = %(status)s)"
            " AND (%(audience)s::text IS NULL OR coalesce(definition ->> 'audience', 'internal') = %(audience)s)"
            " ORDER BY lower(definition ->> 'title'), name LIMIT %(limit)s",
            {"status": status, "audience": audience, "limit": LISTED_MAX},
        )
        return [_whole(row) for row in await found.fetchall()]


async def find_article(pool: Pool, name: str) -> dict[str, Any]:
    """One article with its `versions`: newest first, who and when.

    Raises:
        NotFound: there is none.
    """
    async with pool.connection() as connection:
        found = await connection.execute(
            "SELECT name, version, definition AS article, changed_at FROM configuration"
            " WHERE kind = 'article' AND name = %s AND definition IS NOT NULL",
            (name,),
        )
        row = await found.fetchone()
        if row is None:
            raise NotFound(f"there is no article {name}")
        versions = await connection.execute(
            "SELECT version, occurred_at, coalesce(actor_name, actor_id) AS author,"
            " (SELECT array_agg(k ORDER BY k) FROM jsonb_object_keys(changes) AS k) AS changed"
            " FROM timeline WHERE stream_id = %s AND topic = 'configuration.v1' ORDER BY version DESC",
            (configuration_stream("article", name),),
        )
        return {**_whole(row), "versions": await versions.fetchall()}


async def wait_for_article(pool: Pool, name: str, version: int, *, seconds_max: float) -> None:
    """Return once the article has at least this version, or `seconds_max` have passed: then the page is of before."""
    stream: UUID = configuration_stream("article", name)
    ends_at = asyncio.get_running_loop().time() + seconds_max
    while asyncio.get_running_loop().time() < ends_at:
        async with pool.connection() as connection:
            found = await connection.execute(
                "SELECT 1 FROM timeline WHERE stream_id = %s AND topic = 'configuration.v1' AND version >= %s",
                (stream, version),
            )
            if await found.fetchone():
                return
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)


def _whole(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "article": DEFAULTS | row["article"]}
