"""`/v1/export/{entity}`: what changed since a cursor, for copies of our rows elsewhere."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated, Any, Final, cast
from urllib.parse import urlencode

import fastapi
from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from services.query.api.answers import Several, Text
from services.query.api.formats import MEDIA_TYPES, Format, encoded
from services.query.own_log import ExportTaken, append, stamp
from services.query.parts import Parts
from services.query.views.export import ENTITIES, Head, Request, read_page
from services.query.views.export.cursors import (
    CHARS_MAX,
    START,
    read_cursor,
    secret_of,
    write_cursor,
)
from services.query.views.export.pages import LIMIT_MAX, Batch
from services.query.views.pools import Pool
from shared.errors import NotFound, Refused
from shared.http.ndjson import LinesResponse
from shared.security import Principal, Role, require

_FIELDS_MAX: Final = 200


class TooManyExports(Refused):
    """This process is exporting as much as it is meant to."""

    status = 503
    title = "Too many exports"

    @property
    def headers(self) -> dict[str, str]:
        """A page takes seconds."""
        return {"Retry-After": "5"}


class ExportQuery(BaseModel):
    """`cursor`: from `X-Next-Cursor` of the page before; none: from the beginning. `fields`: only these columns."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cursor: Annotated[str, Field(min_length=1, max_length=CHARS_MAX)] | None = None
    format: Format = Format.NDJSON
    limit: Annotated[int, Field(ge=1, le=LIMIT_MAX)] = 10_000
    fields: Annotated[list[Text], Several, Field(max_length=_FIELDS_MAX)] = []


def make_router(parts: Parts) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["export"])
    running = _Running(parts.settings.exports_at_once_max)

    @router.get("/export", summary="What can be exported: entities with their keys.")
    async def list_entities(
        _principal: Annotated[Principal, Depends(require(Role.SUPERVISOR))],
    ) -> dict[str, Any]:
        return {"entities": [{"name": one.name, "key": one.key} for one in ENTITIES.values()]}

    @router.get(
        "/export/{entity}",
        summary="What changed since a cursor, in the order of commits; deleted rows are told as `_deleted`.",
        response_class=Response,
        description=(
            "Headers: `X-Next-Cursor` begins the next page; `X-End-Of-Stream` says whether everything committed has"
            " been told; `X-Withheld-Rows` counts rows that wait for an older transaction to end. See"
            " docs/bi-howto.md."
        ),
    )
    async def export(
        entity: str,
        http: fastapi.Request,
        principal: Annotated[Principal, Depends(require(Role.SUPERVISOR))],
        query: Annotated[ExportQuery, Query()],
    ) -> Response:
        wanted = ENTITIES.get(entity)
        if wanted is None:
            raise NotFound(
                f"There is no export {entity!r}; there are {', '.join(ENTITIES)}.",
                field="path entity",
            )
        pool = await parts.pool()
        scope = (wanted.name, *sorted(set(query.fields)))
        secret = await secret_of(pool)
        after = START if query.cursor is None else read_cursor(query.cursor, secret, scope)
        request = Request(wanted, after, query.limit, tuple(query.fields))
        stream = running.through(read_page(pool, request))
        head = cast(Head, await anext(stream))
        first = cast(Batch, await anext(stream, []))
        if first:  # whoever looks in vain every minute is given nothing
            await _note(pool, http, principal, wanted.name, query)
        cursor = write_cursor(head.next, secret, scope)
        chosen = {"fields": ",".join(query.fields)} if query.fields else {}
        following = urlencode(
            {"cursor": cursor, "format": query.format, "limit": query.limit, **chosen}
        )
        return LinesResponse(
            encoded(query.format, head.columns, _with(first, stream)),
            media_type=MEDIA_TYPES[query.format],
            headers={
                "Cache-Control": "private, no-store",
                "Content-Disposition": f'attachment; filename="{wanted.name}.{query.format}"',
                "Link": f'</v1/export/{wanted.name}?{following}>; rel="next"',
                "X-Next-Cursor": cursor,
                "X-End-Of-Stream": "true" if head.is_end else "false",
                "X-Withheld-Rows": str(head.withheld),
            },
        )

    return router


async def _with(first: Batch, rest: AsyncIterator[Head | Batch]) -> AsyncIterator[Batch]:
    if first:
        yield first
    async for batch in rest:
        yield cast(Batch, batch)


async def _note(
    pool: Pool, http: fastapi.Request, principal: Principal, entity: str, query: ExportQuery
) -> None:
    """Record who is given this page, before it is given: sensitive tickets may be on it."""
    taken = ExportTaken(
        entity=entity,
        format=query.format.value,
        start="the beginning" if query.cursor is None else "a cursor",
        limit=query.limit,
        fields=tuple(query.fields),
        **stamp(http, principal),
    )
    async with pool.connection() as connection, connection.transaction():
        await append(connection, taken)


class _Running:
    """Counts the pages under way: each holds a connection, and pages for people need some too."""

    def __init__(self, at_once_max: int) -> None:
        self._at_once_max = at_once_max
        self._count = 0

    async def through(self, pages: AsyncIterator[Head | Batch]) -> AsyncIterator[Head | Batch]:
        if self._count >= self._at_once_max:
            raise TooManyExports(f"{self._at_once_max} exports are running here; ask again soon")
        self._count += 1
        try:
            async with aclosing(cast(Any, pages)) as opened:
                async for piece in opened:
                    yield piece
        finally:
            self._count -= 1
