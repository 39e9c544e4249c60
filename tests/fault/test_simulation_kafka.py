"""The simulated parts: a log that doubles, delays and leaves holes, and connections that end at the worst moment."""

import asyncio
from random import Random
from typing import Any
from uuid import UUID

import psycopg
from aiokafka.errors import KafkaTimeoutError
from aiokafka.structs import ConsumerRecord

from shared.database import CommitUnknown


class Crash(BaseException):
    """The process is dead from here on: nothing in it may answer this with another attempt."""


class Faults:
    """Draws what happens at each point where something can; nothing once `calm`.

    Args:
        random: of the run.
        share: how often something goes wrong.
    """

    def __init__(self, random: Random, share: float) -> None:
        self.random = random
        self.share = share
        self.is_calm = False

    def draw(self, *kinds: str) -> str:
        """One of these, or "" for nothing."""
        if self.is_calm or self.random.random() >= self.share:
            return ""
        return self.random.choice(kinds)


class Commits:
    """Mixed into a database: its commits may fail in every way there is, and its process may die of it."""

    faults: Faults
    is_dead = False

    def _transact(self, *args: Any) -> Any:
        if self.is_dead:
            raise Crash
        return super()._transact(*args)  # type: ignore[misc]

    def _commit(self, connection: Any) -> None:
        match self.faults.draw(
            "dies before", "dies after", "in doubt, done", "in doubt, not", "cut"
        ):
            case "":
                super()._commit(connection)  # type: ignore[misc]
            case "dies before":
                self.is_dead = True
                raise Crash
            case "dies after":
                super()._commit(connection)  # type: ignore[misc]
                self.is_dead = True
                raise Crash
            case "in doubt, done":
                super()._commit(connection)  # type: ignore[misc]
                raise CommitUnknown("the answer was lost")
            case "in doubt, not":
                raise CommitUnknown("the question was lost")
            case _:
                raise psycopg.OperationalError("the connection was lost before COMMIT")


class Log:
    """The topic: a few partitions, in which an offset may hold nothing."""

    def __init__(self, faults: Faults, topic: str, partitions: int) -> None:
        self.topic = topic
        self.partitions: list[list[ConsumerRecord | None]] = [[] for _ in range(partitions)]
        self.late: list[tuple[bytes, bytes, Any]] = []
        self._faults = faults

    def put(self, key: bytes, value: bytes, headers: Any) -> None:
        partition = UUID(key.decode()).int % len(self.partitions)
        log = self.partitions[partition]
        if self._faults.draw("somebody's transaction was aborted"):
            log.append(None)
        log.append(
            ConsumerRecord(
                self.topic, partition, len(log), 0, 0, key, value, None, 0, 0, tuple(headers)
            )
        )

    def let_late_arrive(self) -> None:
        """What a producer was given up with arrives after all, in any order."""
        self._faults.random.shuffle(self.late)
        for record in self.late:
            self.put(*record)
        self.late.clear()

    def read(self, partition: int, start: int, count: int) -> tuple[list[ConsumerRecord], int]:
        """Records from `start` on, and where reading goes on."""
        part = self.partitions[partition][start : start + count]
        return [record for record in part if record is not None], start + len(part)


class Producer:
    """What the relay sends with; a record may be doubled, lost, or come much later than its failure."""

    def __init__(self, log: Log, faults: Faults) -> None:
        self._log = log
        self._faults = faults

    async def start(self) -> None:
        """Nothing to connect to."""

    async def stop(self) -> None:
        """Nothing to disconnect from."""

    async def tell(self, topic: str, value: bytes, *, key: bytes) -> None:
        """Watermarks are looked at elsewhere."""

    async def flush(self) -> None:
        """What is sent is out already."""

    async def send(
        self, topic: str, value: bytes, *, key: bytes, headers: list[tuple[str, bytes]]
    ) -> asyncio.Future[None]:
        assert topic == self._log.topic
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        match self._faults.draw("dies", "refuses", "lost", "late", "doubled", "answer lost"):
            case "dies":
                raise Crash
            case "refuses":
                raise KafkaTimeoutError
            case "lost":
                fail(done)
            case "late":
                self._log.late.append((key, value, headers))
                fail(done)
            case "answer lost":
                self._log.put(key, value, headers)
                fail(done)
            case doubled:
                for _ in range(2 if doubled else 1):
                    self._log.put(key, value, headers)
                done.set_result(None)
        return done


def fail(sent: asyncio.Future[None]) -> None:
    sent.set_exception(KafkaTimeoutError())
    sent.exception()  # looked at: a relay that dies before it does is no reason for a warning


class Link:
    """The relay's connection to its database; it may end before or after the position has moved."""

    def __init__(self, connection: psycopg.AsyncConnection[Any], faults: Faults) -> None:
        self._connection = connection
        self._faults = faults

    async def execute(self, query: Any, *args: Any, **options: Any) -> Any:
        if not (isinstance(query, str) and query.startswith("UPDATE relay_position")):
            return await self._connection.execute(query, *args, **options)
        fate = self._faults.draw("dies before", "dies after", "cut before", "cut after")
        if fate.endswith("after") or not fate:
            answer = await self._connection.execute(query, *args, **options)
            if not fate:
                return answer
        if fate.startswith("dies"):
            raise Crash
        raise psycopg.OperationalError("the connection was lost")
