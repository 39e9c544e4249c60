"""The chat by HTTP: the queue, joining, ending, tickets of stretches, and the pages for both sides."""

from functools import cache
from html import escape
from importlib import resources
from typing import Annotated, Final
from uuid import UUID

import msgspec
from fastapi import APIRouter, Query, Request, Response
from msgspec import Meta
from starlette.responses import HTMLResponse

from services.intake.api.words import Fields, Subject, Tags, Word, check_fields
from services.intake.channels.chat.desk import ChatDesk, Made, Wanted
from services.intake.channels.chat.sockets import Room
from services.intake.channels.chat.store import Chat, Message, State, Stretch
from services.intake.channels.installed import ChannelIsOff
from shared.errors import NotFound
from shared.events import Priority
from shared.http.bodies import json_answer, read_json
from shared.http.openapi import openapi_body
from shared.http.origin import Origin
from shared.security import Role, authenticate

_CREATED: Final = 201
_LISTED_MAX: Final = 200
_STATIC: Final = {
    "chat.css": "text/css; charset=utf-8",
    "frame.js": "text/javascript; charset=utf-8",
    "desk.js": "text/javascript; charset=utf-8",
    "widget.js": "text/javascript; charset=utf-8",
}


class TicketOfStretch(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which messages become a ticket (`first` to `last`), and what it begins with."""

    first: Annotated[int, Meta(ge=1)]
    last: Annotated[int, Meta(ge=1)]
    subject: Subject | None = None
    priority: Priority | None = None
    ticket_type: Word | None = None
    tags: Tags = ()
    fields: Fields = {}


class Chats(msgspec.Struct, frozen=True):
    """Chats."""

    chats: list[Chat]


class Transcript(msgspec.Struct, frozen=True):
    """A chat with its messages behind `after` and the tickets that were made of it."""

    chat: Chat
    messages: list[Message]
    tickets: list[Stretch]


def chat_router(room: Room | None) -> APIRouter:
    """The addresses for agents; `room` None: the chat is not switched on."""
    router = APIRouter(prefix="/v1/channels/chat", tags=["chat"])

    @router.get(
        "", summary="Chats: the queue and those that run.", openapi_extra=openapi_body(answer=Chats)
    )
    async def chats(
        request: Request,
        state: State | None = None,
        agent: Annotated[str | None, Query(max_length=255)] = None,
        ticket_id: UUID | None = None,
        limit: Annotated[int, Query(ge=1, le=_LISTED_MAX)] = 100,
    ) -> Response:
        """Without `state` what waits and runs, longest first; `ticket_id`: those that a ticket was made of."""
        await authenticate(request, Role.AGENT)
        found = await _on(room).reading.chats(
            state=state, agent_id=agent, ticket_id=ticket_id, limit=limit
        )
        return json_answer(Chats(found))

    @router.get(
        "/{chat_id}", summary="A chat's transcript.", openapi_extra=openapi_body(answer=Transcript)
    )
    async def transcript(
        chat_id: UUID, request: Request, after: Annotated[int, Query(ge=0)] = 0
    ) -> Response:
        """Up to 500 messages behind `after`, and the tickets of the chat."""
        agent = await authenticate(request, Role.AGENT)
        reading = _on(room).reading
        chat = await reading.chat(chat_id)
        await _on(room).readings.note(Origin.of(request, agent), chat_id)
        messages = await reading.messages(chat_id, after=after)
        return json_answer(Transcript(chat, messages, await reading.stretches(chat_id)))

    @router.post("/{chat_id}/join", summary="Take a chat.", openapi_extra=openapi_body(answer=Chat))
    async def join(chat_id: UUID, request: Request) -> Response:
        """From the queue, or from a colleague."""
        agent = await authenticate(request, Role.AGENT)
        return json_answer(await _desk(room).join(chat_id, Origin.of(request, agent)))

    @router.post("/{chat_id}/end", summary="End a chat.", openapi_extra=openapi_body(answer=Chat))
    async def end(chat_id: UUID, request: Request) -> Response:
        """With or without a ticket; the visitor may begin another one."""
        agent = await authenticate(request, Role.AGENT)
        words = f"{agent.name or agent.id} has ended the chat."
        return json_answer(
            await _desk(room).end(chat_id, agent.id, words, Origin.of(request, agent))
        )

    @router.post(
        "/{chat_id}/tickets",
        summary="Make a ticket of a stretch.",
        status_code=_CREATED,
        openapi_extra=openapi_body(TicketOfStretch, answer=Made, status=_CREATED),
    )
    async def make_ticket(chat_id: UUID, request: Request) -> Response:
        """A chat may become several tickets, each linked to its messages; the same stretch again is the same ticket."""
        agent = await authenticate(request, Role.AGENT)
        body = await read_json(request, TicketOfStretch)
        check_fields(body.fields)
        wanted = Wanted(
            first=body.first,
            last=body.last,
            subject=body.subject,
            priority=body.priority,
            ticket_type=body.ticket_type,
            tags=body.tags,
            fields=body.fields,
        )
        made = await _desk(room).make_ticket(chat_id, wanted, Origin.of(request, agent))
        headers = {"Location": f"/v1/tickets/{made.ticket_id}"}
        return json_answer(made, status=_CREATED, headers=headers)

    return router


def chat_pages(room: Room | None) -> APIRouter:
    """The pages: the visitor's frame, the agents' desk, and their files."""
    router = APIRouter(prefix="/chat", tags=["chat"], include_in_schema=False)

    @router.get("/frame")
    async def frame() -> Response:
        settings = _on(room).desk.settings
        ancestors = " ".join(settings.frame_ancestors) or "'none'"
        return _page("frame.html", ancestors, settings.title, settings.greeting, settings.language)

    @router.get("/desk")
    async def desk() -> Response:
        _on(room)
        return _page("desk.html", "'none'", "Chats", "", "en")

    @router.get("/static/{file}")
    async def static(file: str) -> Response:
        return _static(file)

    return router


def _page(name: str, ancestors: str, title: str, greeting: str, language: str) -> Response:
    text = _text(name)
    for mark, value in {"title": title, "greeting": greeting, "language": language}.items():
        text = text.replace(f"[[{mark}]]", escape(value))
    headers = {
        "Content-Security-Policy": (
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
            f" form-action 'none'; base-uri 'none'; frame-ancestors {ancestors}"
        ),
        "Cache-Control": "private, no-store",
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
    }
    return HTMLResponse(text, headers=headers)


@cache
def _text(name: str) -> str:
    package = resources.files("services.intake.channels.chat")
    return package.joinpath("pages", name).read_text(encoding="utf-8")


@cache
def _static(name: str) -> Response:
    if name not in _STATIC:
        raise NotFound(f"there is no file {name}")
    content = resources.files("services.intake.channels.chat").joinpath("static", name)
    headers = {"Cache-Control": "public, max-age=3600", "X-Content-Type-Options": "nosniff"}
    if name == "widget.js":  # for pages of other sites
        headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return Response(content.read_bytes(), media_type=_STATIC[name], headers=headers)


def _on(room: Room | None) -> Room:
    if room is None:
        raise ChannelIsOff("chat")
    return room


def _desk(room: Room | None) -> ChatDesk:
    return _on(room).desk
