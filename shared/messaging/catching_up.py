"""Working off what lies far behind: in processes beside the service's own, each with partitions of its own.

One interpreter keeps one core busy, and has requests to answer meanwhile. Nothing of what makes a consumer exact is
different here: positions are moved by compare-and-set in the transaction of the effects, by the same code.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
import structlog
from aiokafka import AIOKafkaConsumer

from shared.database import Database
from shared.events.base import Channel
from shared.messaging.applying import Applied, Applying, Handle, Outcome
from shared.messaging.batches import Batches
from shared.messaging.positions import Slot
from shared.messaging.reading import Reading, reader_of
from shared.observability import metrics
from shared.observability.logs import configure_logging
from shared.processes import Part, Parts
from shared.settings import ServiceSettings
from shared.topics import Topic

log = structlog.get_logger(__name__)

BEHIND_MIN: Final = 100_000
"""Fewer are worked off before the processes have started."""

_LOOK_SECONDS: Final = 0.25
_SECONDS_MAX: Final = 1_800.0
"""Then the group is asked for records once more: Kafka gives partitions to others when nobody asks for an hour."""

_REST_SECONDS: Final = 60.0
"""After a failure the service works by itself for so long: it says what is wrong, and sets poison aside."""

_EMPTY_FETCHES_MAX: Final = 30


class CatchUp(msgspec.Struct, frozen=True):
    """How a consumer catches up.

    Attributes:
        handler: makes the handler of each process; a class or function of a module.
        processes: how many; with one, the service works off everything by itself.
        behind_min: from how many records on.
    """

    handler: Callable[[], Handle]
    processes: int
    behind_min: int = BEHIND_MIN


class _Job(msgspec.Struct, frozen=True):
    """What a process has to know."""

    consumer: str
    settings: ServiceSettings
    schema: str
    handler: Callable[[], Handle]
    wanted: Mapping[Topic, Collection[str]] | None
    slots: tuple[Slot, ...]


class _Told(msgspec.Struct, array_like=True):
    """See `applying.Told`."""

    stream_id: UUID
    version: int
    recorded_at: datetime
    via: Channel


class _Word(msgspec.Struct, array_like=True):
    """What a process says after each batch."""

    seconds: float
    told: list[_Told]
    parked_count: int
    repeated_count: int
    held_count: int
    unknown_count: int
    behind: list[tuple[Topic, int, int]]


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(_Word).decode


class CatchingUp:
    """The service's side: begins the processes, hears them, ends them.

    Args:
        name: of the consumer.
        settings: of the service.
        schema: where its tables are.
        plan: how.
        told: hears of each batch after its commit, in the thread that called `run`.
        wanted: see `Consumer`.

    Attributes:
        behind: while it runs, how many records each partition is behind as far as was heard; empty otherwise.
    """

    def __init__(
        self,
        name: str,
        settings: ServiceSettings,
        *,
        schema: str,
        plan: CatchUp,
        told: Callable[[Outcome], None],
        wanted: Mapping[Topic, Collection[str]] | None,
    ) -> None:
        self._name = name
        self._wanted = wanted
        self._settings = settings
        self._schema = schema
        self._plan = plan
        self._told = told
        self._rests_until = 0.0
        self.behind: dict[Slot, int] = {}

    def is_worth_it(self, behind: int) -> bool:
        """Whether so many records should be worked off this way now."""
        is_far = self._plan.processes > 1 and behind >= self._plan.behind_min
        return is_far and time.monotonic() >= self._rests_until

    def run(self, behind: Mapping[Slot, int], is_over: Callable[[], bool]) -> None:
        """Until less than a batch is missing in each process, or it is over. Blocks: call it from a worker thread.

        Args:
            behind: the partitions that are this service's now, and about how far behind they are.
            is_over: asked several times a second; what is under way then is finished.

        Raises:
            Fenced: a partition belongs to somebody else by now.
            Exception: what a process failed with. What was applied stands.
        """
        self.behind = dict(behind)
        job = _Job(
            self._name,
            self._settings,
            self._schema,
            self._plan.handler,
            self._wanted,
            tuple(sorted(behind)),
        )
        log.info(
            "consumer_catches_up",
            consumer=self._name,
            behind=sum(behind.values()),
            processes=self._plan.processes,
        )
        ends_at = time.monotonic() + _SECONDS_MAX
        parts = Parts(_work_off, self._plan.processes, job)
        try:
            while not parts.are_done and not is_over() and time.monotonic() < ends_at:
                for word in parts.words(_LOOK_SECONDS):
                    self._hear(_decode(word))
        except Exception:
            self._rests_until = time.monotonic() + _REST_SECONDS
            raise
        finally:
            for word in parts.end():
                self._hear(_decode(word))
            self.behind = {}
        log.info("consumer_caught_up", consumer=self._name)

    def _hear(self, word: _Word) -> None:
        metrics.CONSUMER_BATCH_SECONDS.labels(self._name).observe(word.seconds)
        self.behind.update({(topic, number): behind for topic, number, behind in word.behind})
        self._told(
            Outcome(
                word.told,
                word.parked_count,
                word.repeated_count,
                word.held_count,
                word.unknown_count,
            )
        )


# In a process.


def _work_off(part: Part, job: _Job) -> None:
    settings = job.settings
    configure_logging(
        service=job.consumer, log_format=settings.log_format, level=settings.log_level
    )
    asyncio.run(_worked_off(part, job))


async def _worked_off(part: Part, job: _Job) -> None:
    slots = [slot for slot in job.slots if slot[1] % part.count == part.number]
    if not slots:
        return
    store = Database(job.settings, schema=job.schema)
    store.open()
    try:
        async with reader_of(job.settings, f"{job.consumer}-{part.number}") as reader:
            await _Process(part, job, store, reader, slots).run()
    finally:
        await store.close()


class _Process:
    """Reads its partitions to their ends, as a consumer would that has no group."""

    def __init__(
        self,
        part: Part,
        job: _Job,
        store: Database,
        reader: AIOKafkaConsumer,
        slots: Collection[Slot],
    ) -> None:
        prefix = job.settings.topic_prefix
        # Together as many as the service takes at once, so that all need no more memory for them than it alone.
        batch_max = max(1, job.settings.consumer_batch_max // part.count)
        self._part = part
        self._slots = slots
        self._batch_max = batch_max
        self._batches = Batches(
            job.consumer,
            topic_prefix=prefix,
            store=store,
            applying=Applying(job.consumer, job.handler(), prefix, wanted=job.wanted),
            tell=self._tell,
        )
        self._places = self._batches.places
        self._consumer = job.consumer
        self._reading = Reading(reader, topic_prefix=prefix, batch_max=batch_max)
        self._ends: dict[Slot, int] = {}
        self._sought: dict[Slot, int] = {}
        self._applied = Applied([], [])

    async def run(self) -> None:
        """Until less than a batch is missing.

        Raises:
            TimeoutError: Kafka does not give what is missing.
        """
        self._places.note(*await asyncio.to_thread(self._batches.load, self._slots))
        # One record before each position: it tells whether this is still the log that was read.
        self._reading.place(
            {slot: max(0, position - 1) for slot, position in self._places.next.items()}
        )
        empty = 0
        while missing := await self._missing():
            self._part.require_work()
            records = await self._reading.fetch(missing, self._ends)
            empty = 0 if records else empty + 1
            if empty > _EMPTY_FETCHES_MAX:
                said = ", ".join(f"{topic}/{number}: {n}" for (topic, number), n in missing.items())
                raise TimeoutError(f"Kafka does not give what is missing: {said}")
            if records:
                begun = {slot: self._sought.pop(slot, None) for slot in records}
                back = await asyncio.to_thread(self._apply, records, begun)
                self._reading.seek(back)
                self._sought.update(back)

    async def _missing(self) -> dict[Slot, int]:
        """How many records each partition lacks; nothing when less than a batch is missing in all."""
        missing = self._behind()
        if sum(missing.values()) < self._batch_max:
            self._ends = await self._reading.ends(self._slots)
            missing = self._behind()
        return missing if sum(missing.values()) >= self._batch_max else {}

    def _behind(self) -> dict[Slot, int]:
        return {
            slot: end - position
            for slot, end in self._ends.items()
            if (position := self._places.next[slot]) < end
        }

    def _apply(
        self, records: Mapping[Slot, Sequence[Any]], begun: Mapping[Slot, int | None]
    ) -> dict[Slot, int]:
        began = time.perf_counter()
        raws = [raw for some in records.values() for raw in some]
        if back := self._batches.apply(raws, begun):
            return back
        outcome, self._applied = self._applied.outcome(), Applied([], [])
        told = [_Told(one.stream_id, one.version, one.recorded_at, one.via) for one in outcome.told]
        behind = self._behind()
        self._part.say(
            _encode(
                _Word(
                    time.perf_counter() - began,
                    told,
                    outcome.parked_count,
                    outcome.repeated_count,
                    outcome.held_count,
                    outcome.unknown_count,
                    [(*slot, behind.get(slot, 0)) for slot in self._slots],
                )
            )
        )
        return {}

    def _tell(self, applied: Applied) -> None:
        applied.log_parked(self._consumer)
        self._applied = applied
