"""One sender per sink: those of the environment, and those of documents as they come, change and go."""

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
import structlog

from services.sla.alarm import Alarm
from services.sla.alerts import registry
from services.sla.alerts.breaker import State
from services.sla.alerts.documents import read_sink
from services.sla.alerts.kind import Parts
from services.sla.alerts.registry import SinkDefined
from services.sla.alerts.sender import Sender
from services.sla.alerts.sink import Sink
from services.sla.settings import Settings
from shared.clock import Clock
from shared.database import TRANSIENT
from shared.errors import Refused
from shared.eventstore import EventStore
from shared.observability import metrics

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 1.0
"""How soon a sink defined through another process is sent to by this one."""

STOP_SECONDS_MAX: Final = 70.0
"""Longer than the longest request may take; then what is under way is cut off and said again later."""


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """How this process gets on with a sink: `breaker` null and `problem` set when it cannot send at all."""

    breaker: str | None
    problem: str | None


class _Running(msgspec.Struct):
    mark: tuple[int, str]
    sender: Sender
    task: asyncio.Task[None]


class Senders:
    """Keeps a sender for every enabled sink.

    Args:
        store: where the outbox and the documents are.
        fixed: sinks of the environment.
        parts: what sinks are built from.
        settings: pauses and limits.
        clock: for due times of attempts.
        documents: of the settings file; None: there is none.
    """

    def __init__(
        self,
        *,
        store: EventStore[Any],
        fixed: Sequence[Sink],
        parts: Parts,
        settings: Settings,
        clock: Clock,
        documents: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self._store = store
        self._parts = parts
        self._settings = settings
        self._clock = clock
        self._documents = documents
        self._fixed = {
            sink.name: Sender(store=store, sink=sink, settings=settings, clock=clock)
            for sink in fixed
        }
        self._running: dict[str, _Running] = {}
        self._problems: dict[str, str] = {}
        self._alarm = Alarm()

    @property
    def reserved(self) -> frozenset[str]:
        """Names that documents cannot take."""
        return frozenset(self._fixed)

    def tasks(self) -> list[Callable[[], Any]]:
        """What runs as long as the service does."""
        return [self.run, *(sender.run for sender in self._fixed.values())]

    def wake(self) -> None:
        """Something was written to the outbox; from any thread."""
        for sender in self._fixed.values():
            sender.wake()
        for running in tuple(self._running.values()):
            running.sender.wake()

    def changed(self) -> None:
        """A document changed; from any thread."""
        self._alarm.ring()

    def condition(self, name: str) -> Condition:
        """How this process gets on with the sink of this name."""
        running = self._running.get(name)
        sender = running.sender if running is not None else self._fixed.get(name)
        state = None if sender is None else State(sender.breaker_state).name.lower()
        return Condition(breaker=state, problem=self._problems.get(name))

    async def run(self) -> None:
        """Follow the documents until cancelled. A database that is away is waited for."""
        try:
            while True:
                try:
                    if self._documents is not None:
                        await self._take_over(self._documents)
                        self._documents = None
                    await self.follow()
                except TRANSIENT as error:
                    log.warning("sinks_unreachable", error=type(error).__name__)
                await self._alarm.wait(LOOK_SECONDS)
        finally:
            for running in self._running.values():
                running.task.cancel()
            await asyncio.gather(
                *(running.task for running in self._running.values()), return_exceptions=True
            )

    async def follow(self) -> None:
        """Start, replace and end senders so that they are those of the documents now in force."""
        defined = {
            each.id: each
            for each in await asyncio.to_thread(self._store.transact, registry.current)
            if each.id not in self._fixed
        }
        for name in self._running.keys() - defined.keys():
            await self._end(name)
        for name, each in defined.items():
            await self._follow_one(name, each)

    async def _take_over(self, documents: Mapping[str, Mapping[str, Any]]) -> None:
        await asyncio.to_thread(
            self._store.transact,
            lambda tx: registry.take_over(tx, documents, reserved=self.reserved),
        )

    async def _follow_one(self, name: str, defined: SinkDefined) -> None:
        running = self._running.get(name)
        try:
            document = read_sink(defined.definition)
            if not document.enabled:
                await self._end(name)
                self._problem(name, None)
                return
            mark = (defined.version, self._digest(defined))
            if running is not None and running.mark == mark and not running.task.done():
                return
            sink = document.build(name, self._parts)
        except (ValueError, Refused) as error:
            # What it was sent to before may be what somebody wanted to end.
            await self._end(name)
            self._problem(name, str(error))
            return
        await self._end(name)
        self._problem(name, None)
        sender = Sender(
            store=self._store,
            sink=sink,
            settings=self._settings,
            clock=self._clock,
            per_minute_max=document.per_minute_max,
        )
        task = asyncio.create_task(sender.run(), name=f"sink-{name}")
        self._running[name] = _Running(mark, sender, task)
        log.info(
            "sink_in_force", sink=name, version=defined.version, kind=defined.definition["kind"]
        )

    def _digest(self, defined: SinkDefined) -> str:
        """Changes when a secret was replaced, so that a rotation needs no restart."""
        digest = hashlib.sha256()
        for reference in registry.references(read_sink(defined.definition)):
            digest.update(self._parts.secrets.read(reference).encode())
        return digest.hexdigest()

    def _problem(self, name: str, problem: str | None) -> None:
        metrics.SLA_SINK_BROKEN.labels(name).set(problem is not None)
        if problem is None:
            self._problems.pop(name, None)
        elif self._problems.get(name) != problem:
            self._problems[name] = problem
            log.error("sink_not_usable", sink=name, reason=problem)

    async def _end(self, name: str) -> None:
        running = self._running.pop(name, None)
        if running is None:
            return
        running.sender.stop()
        done, _ = await asyncio.wait({running.task}, timeout=STOP_SECONDS_MAX)
        if not done:
            running.task.cancel()
        elif not running.task.cancelled() and (error := running.task.exception()) is not None:
            log.error("sender_failed", sink=name, exc_info=error)
