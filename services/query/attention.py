"""Who is looking at a ticket or writing an answer, right now. Kept in Redis only: losing it loses only the hint."""

import asyncio
import time
from collections.abc import Callable
from typing import Final
from uuid import UUID

import msgspec
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.query.settings import Settings

log = structlog.get_logger(__name__)

VIEWING: Final = "viewing"
TYPING: Final = "typing"
GONE: Final = "gone"

VIEWING_SECONDS: Final = 30
"""Three missed signs of life at the page's ten seconds."""

TYPING_SECONDS: Final = 10
"""Who has not touched a key for that long is thinking, or gone."""

PEOPLE_MAX: Final = 20
"""More names than that nobody reads."""

_REDIS_SECONDS_MAX: Final = 1.0
_PAUSE_SECONDS: Final = 2.0
_AWAY: Final = "Redis is away: who else is here is not known."
_NONE: Final = "Without Redis nobody is told who else is here."


class Sign(msgspec.Struct, frozen=True):
    """What one person does at the ticket. `until` in seconds since 1970."""

    name: str
    state: str
    until: float


class Person(msgspec.Struct, frozen=True):
    """Somebody who is at the ticket."""

    id: str
    name: str
    state: str


class Attention(msgspec.Struct, frozen=True, kw_only=True):
    """Everybody at a ticket.

    Attributes:
        people: those who write first, then by name.
        writer: who may send, where the group lets one write at a time; else None.
        is_live: False when it is not known who is here; `detail` says why.
    """

    people: tuple[Person, ...] = ()
    writer: Person | None = None
    is_live: bool = True
    detail: str | None = None


_decode: Final = msgspec.json.Decoder(Sign).decode
_encode: Final = msgspec.json.Encoder().encode


class Attentions:
    """Signs of life of all tickets, and whoever waits for a change of one of them.

    Args:
        settings: where Redis is.
        now: the time in seconds since 1970.
    """

    def __init__(self, settings: Settings, now: Callable[[], float] = time.time) -> None:
        url = settings.redis_url
        self._redis = (
            Redis.from_url(
                url.get_secret_value(),
                decode_responses=True,
                socket_timeout=_REDIS_SECONDS_MAX,
                socket_connect_timeout=_REDIS_SECONDS_MAX,
            )
            if url is not None
            else None
        )
        self._url = None if url is None else url.get_secret_value()
        self._prefix = f"{settings.topic_prefix}query.attention."
        self._channel = f"{settings.topic_prefix}query.attention"
        self._now = now
        self._waiting: dict[UUID, set[asyncio.Event]] = {}

    async def sign(
        self,
        ticket_id: UUID,
        person: Person,
        *,
        one_writer: bool = False,
        insists: bool = False,
    ) -> Attention:
        """Somebody is at the ticket, writes, or goes; returns who is there now.

        Args:
            ticket_id: of the ticket.
            person: with what they do.
            one_writer: the ticket's group lets one person write at a time.
            insists: this one writes whoever wrote before.
        """
        if self._redis is None:
            return Attention(is_live=False, detail=_NONE)
        key, writer = self._keys(ticket_id)
        seconds = TYPING_SECONDS if person.state == TYPING else VIEWING_SECONDS
        try:
            if one_writer and person.state == TYPING:
                await self._take_pen(writer, person, insists=insists)
            async with self._redis.pipeline(transaction=False) as pipeline:
                if person.state == GONE:
                    pipeline.hdel(key, person.id)
                else:
                    sign = Sign(person.name, person.state, self._now() + seconds)
                    pipeline.hset(key, person.id, _encode(sign).decode())
                    pipeline.expire(key, VIEWING_SECONDS)
                await pipeline.execute()
            if person.state != TYPING:
                await self._drop_pen(writer, person)
            await self._redis.publish(self._channel, str(ticket_id))
        except (RedisError, OSError) as error:
            log.info("attention_not_kept", error=type(error).__name__)
            return Attention(is_live=False, detail=_AWAY)
        return await self.at(ticket_id)

    async def at(self, ticket_id: UUID) -> Attention:
        """Who is at the ticket now."""
        if self._redis is None:
            return Attention(is_live=False, detail=_NONE)
        key, writer = self._keys(ticket_id)
        try:
            signs = await self._redis.hgetall(key)
            holder = await self._redis.get(writer)
        except (RedisError, OSError):
            return Attention(is_live=False, detail=_AWAY)
        now = self._now()
        people = [
            Person(str(person_id), sign.name, sign.state)
            for person_id, raw in signs.items()
            if (sign := _decode(raw)).until > now
        ]
        people.sort(key=lambda one: (one.state != TYPING, one.name, one.id))
        return Attention(
            people=tuple(people[:PEOPLE_MAX]),
            writer=next((one for one in people if one.id == holder), None),
        )

    async def changed(self, ticket_id: UUID, seconds: float) -> None:
        """Wait until something changes at the ticket, at most so long (signs run out without a word)."""
        event = asyncio.Event()
        waiting = self._waiting.setdefault(ticket_id, set())
        waiting.add(event)
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            pass  # the caller looks again
        finally:
            waiting.discard(event)
            if not waiting:
                self._waiting.pop(ticket_id, None)

    async def run(self) -> None:
        """Hear of changes that other processes were told of, until cancelled."""
        if self._url is None:
            return
        while True:
            try:
                await self._listen(self._url)
            except (RedisError, OSError) as error:
                # Pages still look every few seconds, and are told that nothing is known.
                log.info("attention_not_heard", error=type(error).__name__)
            await asyncio.sleep(_PAUSE_SECONDS)

    async def close(self) -> None:
        """Give the connections back."""
        if self._redis is not None:
            await self._redis.aclose()

    async def _listen(self, url: str) -> None:
        redis = Redis.from_url(url, decode_responses=True, socket_connect_timeout=2)
        async with redis, redis.pubsub(ignore_subscribe_messages=True) as subscription:
            await subscription.subscribe(self._channel)
            async for message in subscription.listen():
                try:
                    ticket_id = UUID(message["data"])
                except ValueError:
                    continue  # not one of our words
                for event in self._waiting.get(ticket_id, ()):
                    event.set()

    async def _take_pen(self, writer: str, person: Person, *, insists: bool) -> None:
        assert self._redis is not None, "asked before"
        holder = await self._redis.get(writer)
        if holder == person.id or insists:
            await self._redis.set(writer, person.id, ex=VIEWING_SECONDS)
        else:
            await self._redis.set(writer, person.id, ex=VIEWING_SECONDS, nx=True)

    async def _drop_pen(self, writer: str, person: Person) -> None:
        """Who stops writing lets others write; only one's own pen is put down."""
        assert self._redis is not None, "asked before"
        if person.state == GONE and await self._redis.get(writer) == person.id:
            await self._redis.delete(writer)

    def _keys(self, ticket_id: UUID) -> tuple[str, str]:
        return f"{self._prefix}{ticket_id}", f"{self._prefix}{ticket_id}.writer"
