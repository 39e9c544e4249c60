"""A desk behind a real server on a port of its own, and people who chat over real sockets."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

from websockets.asyncio.client import ClientConnection, connect

from services.intake.channels.chat.hub import Hub
from tests.integration.intake.desk import Desk
from tests.support.serving import serving


@asynccontextmanager
async def served(desk: Desk) -> AsyncIterator[str]:
    """`127.0.0.1:port` of the desk's API; its hub looks and listens meanwhile."""
    looking = asyncio.create_task(desk.running(Hub).run())
    try:
        async with serving(desk.service.api) as address:
            yield address
    finally:
        looking.cancel()
        await asyncio.wait([looking])


class Chatter:
    """One end of a socket: sends frames, and collects what comes."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.frames: list[dict[str, Any]] = []

    async def send(self, **frame: Any) -> None:
        await self.socket.send(json.dumps(frame))

    async def say(self, text: str, id_: str | None = None) -> str:
        id_ = id_ or str(uuid4())
        await self.send(type="message", id=id_, text=text)
        return id_

    async def wait(self, kind: str, **said: Any) -> dict[str, Any]:
        """The next frame of this kind that says this; what comes before is kept in `frames`."""

        def fits(frame: dict[str, Any]) -> bool:
            return frame["type"] == kind and said.items() <= frame.items()

        for frame in self.frames:
            if fits(frame):
                self.frames.remove(frame)
                return frame
        async with asyncio.timeout(15):
            while True:
                frame = json.loads(await self.socket.recv())
                if fits(frame):
                    return frame
                self.frames.append(frame)

    async def texts(self, count: int) -> list[tuple[int, str]]:
        """The next messages, as sequence and text."""
        found = []
        for _ in range(count):
            frame = await self.wait("message")
            found.append((frame["sequence"], frame["text"]))
        return found


@asynccontextmanager
async def visitor(address: str, **hello: Any) -> AsyncIterator[tuple[Chatter, dict[str, Any]]]:
    """A visitor who has said hello, and the welcome."""
    async with connect(f"ws://{address}/chat/socket", proxy=None) as socket:
        chatter = Chatter(socket)
        await chatter.send(type="hello", **hello)
        yield chatter, await chatter.wait("welcome")


@asynccontextmanager
async def agent_at(address: str, chat: str, token: str, after: int = 0) -> AsyncIterator[Chatter]:
    """An agent on one chat."""
    headers = {"Authorization": f"Bearer {token}"}
    url = f"ws://{address}/v1/channels/chat/{chat}/socket?after={after}"
    async with connect(url, additional_headers=headers, proxy=None) as socket:
        yield Chatter(socket)
