"""`/board/stream`: the live board's own snapshots, as the parts of the wall that have changed."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import StreamingResponse

from services.query.attention import Attention, Attentions
from services.query.live import Said
from services.query.web.directory import Names
from services.query.web.rendering import described, parts_of
from services.query.web.state import directory_of, live_of
from services.query.web.wall import board_parts
from shared.security import Principal, Role, require

router = APIRouter(include_in_schema=False)

SESSION_SECONDS_MAX: Final = 300.0
"""A stream ends after this long and the browser comes back, so that a session that has ended ends here too."""

_LOOK_SECONDS: Final = 4.0
"""Signs of life run out without a word, so they are looked at this often too."""

_HEADERS: Final = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
"""A proxy between hands every event on at once."""

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder().decode


@dataclass(frozen=True, eq=False)
class Rendered:
    """One snapshot as HTML, made once for all viewers.

    Attributes:
        parts: part of the wall → its HTML.
        number: counts snapshots; whoever has the one before needs only what has changed since.
        whole: the event for a viewer who comes new, or has missed one.
        changed: the event for one who has the snapshot before.
        bare: the event for a page that shows no board.
    """

    number: int
    parts: dict[str, str]
    whole: Said
    changed: Said
    bare: Said


class Renderer:
    """Turns snapshots into parts; asked by every viewer, it works once a snapshot."""

    def __init__(self) -> None:
        self._source: Said | None = None
        self._latest: Rendered | None = None

    def render(self, snapshot: Said, names: Names) -> Rendered:
        """The snapshot's HTML."""
        if self._latest is None or snapshot is not self._source:
            self._latest, self._source = self._rendered(snapshot, names), snapshot
        return self._latest

    def _rendered(self, snapshot: Said, names: Names) -> Rendered:
        board = _decode(snapshot.data)
        parts, head = board_parts(board, names), described(board) | {"live": board["live"]}
        before = self._latest.parts if self._latest else {}
        number = self._latest.number + 1 if self._latest else 1
        changed = {name: html for name, html in parts.items() if before.get(name) != html}
        return Rendered(
            number=number,
            parts=parts,
            whole=_event(head, parts),
            changed=_event(head, changed),
            bare=_event(head, {}),
        )


def _event(head: dict[str, Any], parts: dict[str, str]) -> Said:
    # No id: a browser that comes back starts with a whole snapshot, whatever it missed.
    return Said("board", _encode({"fresh": head, "parts": parts}).decode())


def _admit(request: Request) -> None:
    live_of(request).admit()


@router.get("/board/stream", dependencies=[Depends(_admit)])
async def stream(
    request: Request,
    _principal: Annotated[Principal, Depends(require(Role.AGENT))],
    *,
    bare: Annotated[bool, Query()] = False,
    ticket: Annotated[UUID | None, Query()] = None,
) -> StreamingResponse:
    """Events `board` (`fresh`, `parts`) and `trouble` (`detail`). `bare`: only how fresh everything is.

    With `ticket` also `attention`: who is at that ticket, whenever that changes. One stream carries both: a browser
    has six connections to a host, and every open tab would take two.
    """
    said = _boards(request, bare=bare)
    if ticket is not None:
        said = merged(said, _attention(parts_of(request).attentions, ticket))
    # FastAPI's own streams of events would encode each again, and hand it on by two tasks, for every viewer.
    wire = (one.wire async for one in said)
    return StreamingResponse(wire, media_type="text/event-stream", headers=_HEADERS)


async def _boards(request: Request, *, bare: bool) -> AsyncIterator[Said]:
    pool = await parts_of(request).pool()
    directory, renderer = directory_of(request), _renderer_of(request)
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + SESSION_SECONDS_MAX
    has = 0
    async for snapshot in live_of(request).watch():
        if snapshot.event != "board":
            yield snapshot
        else:
            rendered = renderer.render(snapshot, await directory.names(pool))
            if bare:
                yield rendered.bare
            else:
                yield rendered.changed if has == rendered.number - 1 else rendered.whole
            has = rendered.number
        if loop.time() > ends_at:
            return


async def _attention(attentions: Attentions, ticket_id: UUID) -> AsyncIterator[Said]:
    told: Attention | None = None
    while True:
        now = await attentions.at(ticket_id)
        if now != told:
            told = now
            yield Said("attention", _encode(now).decode())
        await attentions.changed(ticket_id, _LOOK_SECONDS)


async def merged(first: AsyncIterator[Said], second: AsyncIterator[Said]) -> AsyncIterator[Said]:
    """What both say, as it comes; ends when the first one does."""
    sources = {"first": first, "second": second}
    tasks = {name: asyncio.ensure_future(anext(source)) for name, source in sources.items()}
    try:
        while True:
            await asyncio.wait(tasks.values(), return_when=asyncio.FIRST_COMPLETED)
            for name, task in list(tasks.items()):
                if not task.done():
                    continue
                try:
                    yield task.result()
                except StopAsyncIteration:
                    return
                tasks[name] = asyncio.ensure_future(anext(sources[name]))
    finally:
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)


def _renderer_of(request: Request) -> Renderer:
    state = request.app.state
    if not hasattr(state, "page_renderer"):
        state.page_renderer = Renderer()
    renderer: Renderer = state.page_renderer
    return renderer
