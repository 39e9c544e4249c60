"""The sockets of the chat: visitors at `/chat/socket`, agents at `/v1/channels/chat/{id}/socket`."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final
from urllib.parse import urlsplit
from uuid import UUID

import msgspec
import structlog
from fastapi import APIRouter, Query, WebSocket, WebSocketDisconnect
from msgspec.structs import replace

from services.intake.channels.chat import sessions
from services.intake.channels.chat.desk import ChatDesk
from services.intake.channels.chat.frames import (
    FRAME_BYTES_MAX,
    About,
    End,
    FromAgent,
    FromVisitor,
    Hello,
    Say,
    Typing,
    read_agents,
    read_visitors,
)
from services.intake.channels.chat.hub import Frame, Hub, Watcher
from services.intake.channels.chat.readings import ChatReadings
from services.intake.channels.chat.sessions import Visitor
from services.intake.channels.chat.store import ChatReading
from services.intake.channels.identity import IdentityTokens
from services.intake.secrets import Secret
from shared.database import TRANSIENT
from shared.errors import Invalid, Refused
from shared.eventstore import EventStore
from shared.http.origin import Origin
from shared.observability import metrics
from shared.security import Role
from shared.security.guard import COOKIE, bearer_token, verified
from shared.security.tokens import Unauthorized

log = structlog.get_logger(__name__)

HELLO_SECONDS_MAX: Final = 10.0
MESSAGES_MAX: Final = 20
"""Of one socket within `MESSAGES_SECONDS`: faster than anybody writes."""

MESSAGES_SECONDS: Final = 10.0

_RESTART: Final = 1012
_TRY_LATER: Final = 1013
_FATAL: Final = 4_000
"""Plus the HTTP status that the refusal would have: 4401, 4403, 4404."""


class Room(msgspec.Struct, frozen=True):
    """What both kinds of socket need."""

    desk: ChatDesk
    hub: Hub
    reading: ChatReading
    identity: IdentityTokens
    secret: Secret
    store: EventStore[Any]
    readings: ChatReadings


def chat_sockets(room: Room | None) -> APIRouter:
    """The sockets; `room` None: the chat is not switched on."""
    router = APIRouter()

    @router.websocket("/chat/socket")
    async def visitor_socket(socket: WebSocket) -> None:
        if room is None:
            await socket.close(_FATAL + 404)
            return
        await _Line(socket, room).run("visitor", lambda line: _VisitorSide(line).serve())

    @router.websocket("/v1/channels/chat/{chat_id}/socket")
    async def agent_socket(
        socket: WebSocket, chat_id: UUID, after: Annotated[int, Query(ge=0)] = 0
    ) -> None:
        if room is None:
            await socket.close(_FATAL + 404)
            return
        await _Line(socket, room).run(
            "agent", lambda line: _AgentSide(line, chat_id, after).serve()
        )

    return router


class _Line:
    """One socket, with its errors in words."""

    def __init__(self, socket: WebSocket, room: Room) -> None:
        self.socket, self.room = socket, room
        self._sent_at: list[float] = []
        self._lock = asyncio.Lock()
        self._watcher: Watcher | None = None
        self._pump: asyncio.Task[None] | None = None

    async def run(self, side: str, serve: Callable[["_Line"], Awaitable[None]]) -> None:
        hub = self.room.hub
        if hub.is_closed or hub.count >= self.room.desk.settings.visitors_max:
            await self.socket.close(_TRY_LATER)
            return
        await self.socket.accept()
        forget = hub.on_close(lambda: self.socket.close(_RESTART))
        try:
            with metrics.INTAKE_CHAT_SOCKETS.labels(side).track_inprogress():
                await serve(self)
        except WebSocketDisconnect:
            pass  # the other end is gone, which is how sockets end
        except TimeoutError:
            await self._close(_FATAL + 408)
        except Refused as refusal:
            await self.refuse(refusal)
            await self._close(_FATAL + refusal.status)
        except TRANSIENT as error:
            log.warning("chat_store_unavailable", error=type(error).__name__)
            await self._close(_TRY_LATER)
        finally:
            forget()
            await self.unwatch()

    async def read(self) -> str:
        """The next frame. Raises WebSocketDisconnect, Invalid."""
        said = await self.socket.receive()
        if said["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(said.get("code", 1000))
        text = said.get("text")
        if text is None:
            raise Invalid.of("frame", "expected text")
        if len(text) > FRAME_BYTES_MAX:
            raise Invalid.of("frame", f"is longer than {FRAME_BYTES_MAX} characters")
        return str(text)

    async def send(self, frame: Frame) -> None:
        """One frame at a time, whoever sends."""
        async with self._lock:
            await self.socket.send_text(msgspec.json.encode(frame).decode())

    async def refuse(self, refusal: Refused, id_: UUID | None = None) -> None:
        """Say what was wrong; the socket lives on."""
        frame: Frame = {"type": "error", "code": refusal.code, "detail": refusal.detail}
        if refusal.field:
            frame["field"] = refusal.field
        if id_ is not None:
            frame["id"] = id_
        with contextlib.suppress(RuntimeError, WebSocketDisconnect):  # it has just gone
            await self.send(frame)

    def check_pace(self) -> None:
        """Raises TooFast: more messages than anybody writes."""
        now = time.monotonic()
        self._sent_at = [one for one in self._sent_at if now - one < MESSAGES_SECONDS]
        if len(self._sent_at) >= MESSAGES_MAX:
            raise TooFast("That was very fast. Please wait a few seconds.")
        self._sent_at.append(now)

    async def watch(self, chat_id: UUID, side: str, after: int) -> None:
        """From now on what is stored in the chat goes over this socket."""
        if self._watcher is not None and self._watcher.chat_id == chat_id:
            return
        await self.unwatch()
        self._watcher = Watcher(chat_id, side, after, self._send_quietly)
        self.room.hub.add(self._watcher)
        self._pump = asyncio.create_task(self._watcher.run(self.room.reading))

    async def unwatch(self) -> None:
        """No more."""
        if self._watcher is not None:
            self.room.hub.remove(self._watcher)
            self._watcher = None
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.gather(self._pump, return_exceptions=True)
            self._pump = None

    async def _send_quietly(self, frame: Frame) -> None:
        with contextlib.suppress(
            RuntimeError, WebSocketDisconnect
        ):  # reading notices that it is gone
            await self.send(frame)

    async def _close(self, code: int) -> None:
        with contextlib.suppress(RuntimeError):  # closed already
            await self.socket.close(code)


class TooFast(Refused):
    """More messages than anybody writes."""

    status = 429
    title = "Too many messages"


class _VisitorSide:
    """A visitor's socket."""

    def __init__(self, line: _Line) -> None:
        self._line, self._room = line, line.room
        self._page: str | None = None
        self._chat_id: UUID | None = None
        self._visitor: Visitor | None = None

    async def serve(self) -> None:
        line = self._line
        async with asyncio.timeout(HELLO_SECONDS_MAX):
            hello = read_visitors(await line.read())
        if not isinstance(hello, Hello):
            raise Invalid.of("type", "expected hello first")
        visitor, session = await self._known(hello)
        self._visitor = visitor
        self._page = hello.page
        chat = await self._room.reading.shown_chat(visitor.id)
        await line.send(
            {
                "type": "welcome",
                "session": session,
                "chat": chat.id if chat else None,
                "state": chat.state if chat else None,
                "last": chat.last_sequence if chat else 0,
                "name": visitor.name,
            }
        )
        if chat is not None:
            self._chat_id = chat.id
            await line.watch(chat.id, "visitor", min(hello.after, chat.last_sequence))
        while True:
            try:
                await self._take(read_visitors(await line.read()), self._visitor)
            except Refused as refusal:
                await line.refuse(refusal)

    async def _take(self, frame: FromVisitor, visitor: Visitor) -> None:
        match frame:
            case Say():
                await self._say(frame, visitor)
            case Typing():
                if self._chat_id is not None:
                    await self._room.hub.typing(self._chat_id, "visitor", visitor.name)
            case End():
                if self._chat_id is not None:
                    await self._room.desk.end(
                        self._chat_id, "visitor", "The visitor has ended the chat."
                    )
            case About():
                await self._about(frame)
            case Hello():
                raise Invalid.of("type", "hello was said already")

    async def _about(self, frame: About) -> None:
        visitor = self._visitor
        if visitor is None or visitor.is_identified:
            return
        said = replace(visitor, name=frame.name or visitor.name, email=frame.email or visitor.email)
        self._visitor = said
        if self._chat_id is not None:
            await self._room.desk.introduce(self._chat_id, said)

    async def _say(self, frame: Say, visitor: Visitor) -> None:
        line = self._line
        try:
            line.check_pace()
            desk = self._room.desk
            stored = await desk.write_as_visitor(visitor, frame.id, frame.text, self._page)
        except Refused as refusal:
            await line.refuse(refusal, frame.id)
            return
        message = stored.message
        await line.send(
            {
                "type": "stored",
                "id": message.id,
                "sequence": message.sequence,
                "at": message.at,
                "chat": stored.chat_id,
            }
        )
        if self._chat_id != stored.chat_id:  # the first message, or the first after an end
            self._chat_id = stored.chat_id
            await line.watch(stored.chat_id, "visitor", 0)

    async def _known(self, hello: Hello) -> tuple[Visitor, str | None]:
        """Who it is, and the session to keep.

        Raises:
            InvalidToken: what it claims proves nothing.
            Unauthorized: nobody signs for it, and that is needed here.
        """
        if hello.identity is not None:
            person = self._room.identity.person(hello.identity, field="identity")
            visitor = Visitor(
                id=person.id, name=person.name, email=person.email, is_identified=True
            )
            return replace(visitor, name=visitor.name or hello.name), None
        if not self._room.desk.settings.anonymous:
            raise Unauthorized(
                "This chat is for visitors that the site signs for.", field="identity"
            )
        key = await self._room.secret.load(self._room.store)
        session = hello.session or sessions.new_session(key)
        id_ = sessions.visitor_id(key, session)
        return Visitor(id=id_, name=hello.name, email=hello.email), session


class _AgentSide:
    """An agent's socket on one chat."""

    def __init__(self, line: _Line, chat_id: UUID, after: int) -> None:
        self._line, self._room = line, line.room
        self._chat_id, self._after = chat_id, after

    async def serve(self) -> None:
        line, room = self._line, self._room
        asked = await _agent(line.socket)
        await room.reading.chat(self._chat_id)
        await room.readings.note(asked, self._chat_id)
        await line.watch(self._chat_id, "agent", self._after)
        while True:
            try:
                await self._take(read_agents(await line.read()), asked)
            except Refused as refusal:
                await line.refuse(refusal)

    async def _take(self, frame: FromAgent, asked: Origin) -> None:
        room, chat_id, agent = self._room, self._chat_id, asked.principal
        match frame:
            case Say():
                try:
                    stored = await room.desk.write_as_agent(chat_id, asked, frame.id, frame.text)
                except Refused as refusal:
                    await self._line.refuse(refusal, frame.id)
                    return
                message = stored.message
                told = {"id": message.id, "sequence": message.sequence, "at": message.at}
                await self._line.send({"type": "stored", **told})
            case Typing():
                await room.hub.typing(chat_id, "agent", agent.name)
            case End():
                words = f"{agent.name or agent.id} has ended the chat."
                await room.desk.end(chat_id, agent.id, words, asked)


async def _agent(socket: WebSocket) -> Origin:
    """Who opens the socket: a token in the header, or our own page's cookie.

    Raises:
        Unauthorized, Forbidden: nobody, or nobody who may.
    """
    authorization = socket.headers.get("authorization")
    if authorization is not None:
        token = bearer_token(authorization)
    else:
        token = socket.cookies.get(COOKIE) or ""
        origin = urlsplit(socket.headers.get("origin", "")).netloc
        # A page of another site could open a socket with our cookie; browsers say whose page it is.
        if not token or origin != socket.headers.get("host"):
            raise Unauthorized("A bearer token is needed.", field="header Authorization")
    principal, _ = await verified(socket, token)
    if not principal.may(Role.AGENT):
        raise NotForCustomers("This needs the role agent.")
    return Origin.of(socket, principal)


class NotForCustomers(Refused):
    """The desk's side of a chat is for people who work here."""

    status = 403
