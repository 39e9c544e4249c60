"""The hub: who watches which chat in this process, and how they learn of what happens, here or in another process.

Redis carries only the word that something happened, and typing. Without it, what other processes store is seen at the
next look.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, Final
from uuid import UUID

import msgspec
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.intake.channels.chat.store import READ_MAX, ChatReading, Message, State
from shared.database import TRANSIENT
from shared.identifiers import new_id

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 1.0
"""How long what another process has stored may go unseen without Redis; one query for all chats watched here."""

_REDIS_PAUSE_SECONDS: Final = 2.0
_WAITING_MAX: Final = 1_000
"""Messages kept for a slow watcher; past this it reads them from the database."""

Frame = dict[str, Any]


class Word(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What processes tell each other through Redis."""

    origin: str
    chat: UUID
    typing: str | None = None
    side: str | None = None


class Watcher:
    """One socket that watches one chat: gets every message once, in order.

    Args:
        chat_id: which chat.
        side: `visitor` or `agent`.
        after: the last sequence that it has.
        send: puts a frame on the socket.
    """

    def __init__(
        self, chat_id: UUID, side: str, after: int, send: Callable[[Frame], Awaitable[None]]
    ) -> None:
        self.chat_id = chat_id
        self.side = side
        self.sent = after
        self.state: State | None = None
        self._send = send
        self._waiting: list[Message] = []
        self._changed = asyncio.Event()
        self._changed.set()  # what it has missed comes first

    def tell(self, message: Message | None) -> None:
        """Something happened; the message itself, when this process has it in hand."""
        if message is not None and len(self._waiting) < _WAITING_MAX:
            self._waiting.append(message)
        self._changed.set()

    async def run(self, reading: ChatReading) -> None:
        """Until cancelled. A database that is away is waited for."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self._catch_up(reading)
            except TRANSIENT as error:
                log.warning("chat_waits", error=type(error).__name__)
                await asyncio.sleep(LOOK_SECONDS)
                self._changed.set()

    async def _catch_up(self, reading: ChatReading) -> None:
        waiting, self._waiting = self._waiting, []
        for message in waiting:
            if message.sequence == self.sent + 1:
                await self._deliver(message)
        if waiting and waiting[-1].sequence <= self.sent:
            return  # nothing was missed between them
        while found := await reading.messages(self.chat_id, after=self.sent):
            for message in found:
                await self._deliver(message)
            if len(found) < READ_MAX:
                break
        await self._tell_state(reading)

    async def _deliver(self, message: Message) -> None:
        self.sent = message.sequence
        await self._send(
            {
                "type": "message",
                "sequence": message.sequence,
                "id": message.id,
                "side": message.side,
                "author": message.author,
                "text": message.text,
                "at": message.at,
            }
        )

    async def _tell_state(self, reading: ChatReading) -> None:
        chat = await reading.chat(self.chat_id)
        if chat.state != self.state:
            self.state = chat.state
            await self._send({"type": "state", "state": chat.state, "agent": chat.agent_name})

    async def typing(self, side: str, name: str | None) -> None:
        """The other side types."""
        if side != self.side:
            await self._send({"type": "typing", "side": side, "name": name})


class Hub:
    """All watchers of this process.

    Args:
        reading: what is stored.
        redis_url: None: other processes are heard by looking only.
        channel: of Redis.
    """

    def __init__(self, reading: ChatReading, *, redis_url: str | None, channel: str) -> None:
        self._reading = reading
        self._watchers: dict[UUID, set[Watcher]] = {}
        self._redis = None if redis_url is None else Redis.from_url(redis_url)
        self._channel = channel
        self._origin = str(new_id())
        self._words: asyncio.Queue[Word] = asyncio.Queue(maxsize=10_000)
        self._closing: set[Callable[[], Awaitable[None]]] = set()
        self.is_closed = False

    @property
    def count(self) -> int:
        """Sockets that watch."""
        return sum(map(len, self._watchers.values()))

    def add(self, watcher: Watcher) -> None:
        """It watches from now on."""
        self._watchers.setdefault(watcher.chat_id, set()).add(watcher)

    def remove(self, watcher: Watcher) -> None:
        """It is gone."""
        watching = self._watchers.get(watcher.chat_id, set())
        watching.discard(watcher)
        if not watching:
            self._watchers.pop(watcher.chat_id, None)

    def announce(self, chat_id: UUID, message: Message | None) -> None:
        """Something is stored: tell the watchers here, and the other processes. Call it in the event loop."""
        for watcher in self._watchers.get(chat_id, ()):
            watcher.tell(message)
        self._publish(Word(origin=self._origin, chat=chat_id))

    async def typing(self, chat_id: UUID, side: str, name: str | None) -> None:
        """Somebody types. It may be lost."""
        await self._typing_here(chat_id, side, name)
        self._publish(Word(origin=self._origin, chat=chat_id, typing=name or "", side=side))

    def on_close(self, close: Callable[[], Awaitable[None]]) -> Callable[[], None]:
        """Have this socket closed when the process stops; returns what takes it back."""
        self._closing.add(close)
        return lambda: self._closing.discard(close)

    async def end_sockets(self) -> None:
        """Their other ends come again, to another process."""
        self.is_closed = True
        await asyncio.gather(*(close() for close in [*self._closing]), return_exceptions=True)

    async def run(self) -> None:
        """Look and listen, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._look())
            if self._redis is not None:
                group.create_task(self._listen(self._redis))
                group.create_task(self._speak(self._redis))

    async def close(self) -> None:
        """Give the connections back."""
        if self._redis is not None:
            await self._redis.aclose()

    def _publish(self, word: Word) -> None:
        if self._redis is not None:
            with contextlib.suppress(asyncio.QueueFull):  # the others look by themselves
                self._words.put_nowait(word)

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if not self._watchers:
                continue
            try:
                ends = await self._reading.ends(self._watchers.keys())
            except TRANSIENT as error:
                log.warning("chat_waits", error=type(error).__name__)
                continue
            for chat_id, (last, state) in ends.items():
                for watcher in self._watchers.get(chat_id, ()):
                    if watcher.sent < last or watcher.state != state:
                        watcher.tell(None)

    async def _speak(self, redis: Redis) -> None:
        while True:
            word = await self._words.get()
            try:
                await redis.publish(self._channel, msgspec.json.encode(word))
            except (RedisError, OSError) as error:
                log.warning("chat_alone", error=type(error).__name__)
                await asyncio.sleep(_REDIS_PAUSE_SECONDS)

    async def _listen(self, redis: Redis) -> None:
        while True:
            try:
                async with redis.pubsub() as subscription:
                    await subscription.subscribe(self._channel)
                    async for said in subscription.listen():
                        if said["type"] == "message":
                            await self._hear(said["data"])
            except (RedisError, OSError) as error:
                log.warning("chat_alone", error=type(error).__name__)
                await asyncio.sleep(_REDIS_PAUSE_SECONDS)

    async def _hear(self, raw: bytes) -> None:
        try:
            word = msgspec.json.decode(raw, type=Word)
        except msgspec.MsgspecError:
            log.warning("chat_word_not_understood")  # of another version of the product
            return
        if word.origin == self._origin:
            return
        if word.typing is not None and word.side is not None:
            await self._typing_here(word.chat, word.side, word.typing or None)
            return
        for watcher in self._watchers.get(word.chat, ()):
            watcher.tell(None)

    async def _typing_here(self, chat_id: UUID, side: str, name: str | None) -> None:
        for watcher in [*self._watchers.get(chat_id, ())]:
            await watcher.typing(side, name)
