"""The verbs on sinks and deliveries: define, look, test, replay, discard."""

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, TypeVar
from uuid import UUID

import msgspec
import structlog

from services.sla.alerts import decisions, deliveries, registry
from services.sla.alerts.deliveries import Counts
from services.sla.alerts.documents import read_sink
from services.sla.alerts.kind import Parts
from services.sla.alerts.notice import (
    TEST_METRIC,
    Action,
    Alert,
    AlertNotice,
    Called,
    Kind,
    Opening,
)
from services.sla.alerts.registry import FixedSink, SinkDefined
from services.sla.alerts.senders import Condition, Senders
from services.sla.alerts.sink import NotDelivered, Sent, Sink
from services.sla.oncall import contacts
from shared.clock import Clock
from shared.errors import Refused
from shared.eventstore import EventStore, EventTransaction
from shared.http.origin import Origin
from shared.identifiers import new_id
from shared.operations import Operation, note_in_events

log = structlog.get_logger(__name__)
R = TypeVar("R")

Tx = EventTransaction[Any]

_NO_TICKET: Final = UUID(int=0)


class NotUsable(Refused):
    """The sink cannot be built as it is: a secret is missing, or has another form."""


class SinkState(msgspec.Struct, frozen=True, kw_only=True):
    """A sink as it is now: its document, what waits for it, and how this process gets on with it."""

    id: str
    version: int
    definition: dict[str, Any]
    source: str
    recorded_at: datetime | None
    recorded_by: str
    waiting: int
    dead: int
    breaker: str | None
    problem: str | None


class Tested(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a test: the last request's status, how long all took, and why not, if it failed."""

    delivered: bool
    http_status: int | None
    seconds: float
    error: str | None = None


class AlertDesk:
    """What administrators can ask of alert delivery.

    Args:
        store: where documents and deliveries are.
        senders: who sends.
        parts: what sinks are built from.
        clock: tells now.
    """

    def __init__(
        self, *, store: EventStore[Any], senders: Senders, parts: Parts, clock: Clock
    ) -> None:
        self._store = store
        self._senders = senders
        self._parts = parts
        self._clock = clock

    async def sinks(self) -> list[SinkState]:
        """All of them, those of the environment first."""

        def read(tx: Tx) -> list[SinkState]:
            fixed = [
                self._state_of_fixed(name, deliveries.counts(tx, name))
                for name in sorted(self._senders.reserved)
            ]
            return fixed + [
                self._state(each, deliveries.counts(tx, each.id)) for each in registry.current(tx)
            ]

        return await self._transact(read)

    async def sink(self, sink_id: str, version: int | None = None) -> SinkState:
        """One version of one, the newest without `version`.

        Raises:
            NotFound: there is none.
        """
        return await self._transact(
            lambda tx: (
                self._state_of_fixed(sink_id, deliveries.counts(tx, sink_id))
                if sink_id in self._senders.reserved
                else self._state(registry.get(tx, sink_id, version), deliveries.counts(tx, sink_id))
            )
        )

    async def define(
        self, sink_id: str, document: Mapping[str, Any], *, origin: Origin, expected: int | None
    ) -> SinkDefined:
        """Make or change a sink; in force at once here, within a second in other processes.

        Raises:
            Invalid: naming the wrong fields.
            FixedSink: it is defined elsewhere.
            Conflict: the sink has another version than `expected`.
        """
        defined = await self._transact(
            lambda tx: registry.define(
                tx,
                sink_id,
                document,
                origin=origin,
                reserved=self._senders.reserved,
                expected=expected,
            )
        )
        log.info("sink_defined", sink=sink_id, version=defined.version, by=origin.actor.id)
        self._senders.changed()
        return defined

    async def test(self, sink_id: str, *, origin: Origin) -> Tested:
        """Send the beginning and the end of an alert about nothing, marked as a test, by the real way.

        Where those who are called are told, it calls whoever asks for the test.

        Raises:
            NotFound: there is no such sink.
            NotUsable: it cannot be built as it is.
        """
        if sink_id in self._senders.reserved:
            raise FixedSink(
                f"The sink {sink_id} is defined by the service's environment.", field="sink_id"
            )
        whom = [f"agent:{origin.actor.id}"]
        defined, called = await self._transact(
            lambda tx: (registry.get(tx, sink_id), contacts.reach(tx, whom))
        )
        try:
            sink: Sink = read_sink(defined.definition).build(sink_id, self._parts)
        except ValueError as error:
            raise NotUsable(f"The sink cannot be used: {error}.") from None
        await self._transact(
            lambda tx: note_in_events(tx, Operation.by(origin, "sink.test", sink_id))
        )
        began = time.perf_counter()
        try:
            sent = await self._say_both(sink, called)
        except NotDelivered as failure:
            return Tested(
                delivered=False,
                http_status=failure.http_status,
                seconds=time.perf_counter() - began,
                error=failure.reason,
            )
        finally:
            await sink.close()
        return Tested(
            delivered=True, http_status=sent.http_status, seconds=time.perf_counter() - began
        )

    async def deliveries(
        self,
        *,
        status: str | None,
        sink: str | None,
        alert_id: UUID | None,
        summary_id: UUID | None,
        before: tuple[datetime, UUID] | None,
        limit: int,
    ) -> list[dict[str, Any]]:
        """The delivery log, newest first."""
        return await self._transact(
            lambda tx: decisions.list_deliveries(
                tx,
                status=status,
                sink=sink,
                alert_id=alert_id,
                summary_id=summary_id,
                before=before,
                limit=limit,
            )
        )

    async def delivery(self, delivery_id: UUID) -> dict[str, Any]:
        """One delivery with its attempts.

        Raises:
            NotFound: there is none.
        """
        return await self._transact(lambda tx: decisions.find_delivery(tx, delivery_id))

    async def replay(self, delivery_id: UUID, *, origin: Origin) -> dict[str, Any]:
        """Send again what was given up.

        Raises:
            NotFound: there is none.
            NotReplayable: it was not given up, or its alert is over by now.
        """
        now = self._clock.now()

        def work(tx: Tx) -> dict[str, Any]:
            before = decisions.find_delivery(tx, delivery_id)
            after = decisions.replay(tx, delivery_id, by=origin.actor.id, now=now)
            _note(tx, origin, "delivery.replay", before, after)
            return after

        answer = await self._transact(work)
        log.info("delivery_replayed", delivery_id=str(delivery_id), by=origin.actor.id)
        self._senders.wake()
        return answer

    async def discard(self, delivery_id: UUID, *, origin: Origin) -> dict[str, Any]:
        """Give it up.

        Raises:
            NotFound: there is none.
            NotDiscardable: there is nothing left to give up.
        """

        def work(tx: Tx) -> dict[str, Any]:
            before = decisions.find_delivery(tx, delivery_id)
            after = decisions.discard(tx, delivery_id, by=origin.actor.id)
            if after["status"] != before["status"]:
                _note(tx, origin, "delivery.discard", before, after)
            return after

        answer = await self._transact(work)
        log.info("delivery_discarded", delivery_id=str(delivery_id), by=origin.actor.id)
        return answer

    async def _say_both(self, sink: Sink, called: tuple[Called, ...]) -> Sent:
        alert = _test_alert(self._clock.now())
        begun = AlertNotice(
            delivery_id=new_id(), action=Action.TRIGGER, alert=alert, attempt=1, called=called
        )
        sent = await sink.send([begun])
        over = msgspec.structs.replace(alert, resolved_at=self._clock.now(), resolution="test")
        return await sink.send(
            [
                AlertNotice(
                    delivery_id=new_id(),
                    action=Action.RESOLVE,
                    alert=over,
                    attempt=1,
                    opening=Opening(delivery_id=begun.delivery_id, receipt=sent.receipt),
                    called=called,
                )
            ]
        )

    def _state(self, defined: SinkDefined, counts: Counts) -> SinkState:
        condition = self._senders.condition(defined.id)
        return SinkState(
            id=defined.id,
            version=defined.version,
            definition=defined.definition,
            source=defined.source,
            recorded_at=defined.recorded_at,
            recorded_by=defined.recorded_by,
            **_figures(counts, condition),
        )

    def _state_of_fixed(self, name: str, counts: Counts) -> SinkState:
        return SinkState(
            id=name,
            version=1,
            definition={"kind": name},
            source="environment",
            recorded_at=None,
            recorded_by="environment",
            **_figures(counts, self._senders.condition(name)),
        )

    async def _transact(self, work: Callable[[Any], R]) -> R:
        return await asyncio.to_thread(self._store.transact, work)


def _figures(counts: Counts, condition: Condition) -> dict[str, Any]:
    return {
        "waiting": counts.waiting,
        "dead": counts.dead,
        "breaker": condition.breaker,
        "problem": condition.problem,
    }


def _test_alert(now: datetime) -> Alert:
    alert_id = new_id()
    return Alert(
        alert_id=alert_id,
        dedupe_key=f"sla:test:{alert_id}",
        kind=Kind.WARNING,
        ticket_id=_NO_TICKET,
        number=None,
        metric=TEST_METRIC,
        cycle=1,
        priority="low",
        policy_id=TEST_METRIC,
        policy_version=1,
        group_id=None,
        agent_id=None,
        due_at=now,
        breached_at=None,
        detected_at=now,
    )


def _note(tx: Tx, origin: Origin, what: str, before: dict[str, Any], after: dict[str, Any]) -> None:
    changes = {"status": (before["status"], after["status"])}
    about = str(after["delivery_id"])
    note_in_events(
        tx, Operation.by(origin, what, about, ticket_id=after["ticket_id"], changes=changes)
    )
