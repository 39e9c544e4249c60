"""What can be asked about rotas, each in one transaction of its own."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar
from uuid import UUID

import msgspec

from services.sla.oncall import feeds, rotas
from services.sla.oncall.rotas import NewOverride, RotaView
from shared.clock import Clock
from shared.errors import Forbidden, Invalid
from shared.eventstore import Claim, EventStore, EventTransaction, GroupCommitter
from shared.http.origin import Origin
from shared.oncall import OnCall, Override, Span
from shared.operations import Operation, note_in_events
from shared.security import Role

R = TypeVar("R")
Tx = EventTransaction[Any]

SCHEDULE_MAX: Final = timedelta(days=400)
"""The longest schedule in one answer: a year, and the month around it."""


class RotaDesk:
    """The verbs on rotas.

    Args:
        store: events and tables.
        committer: for commands with an Idempotency-Key.
        clock: tells now.
    """

    def __init__(
        self, *, store: EventStore[Any], committer: GroupCommitter[Any], clock: Clock
    ) -> None:
        self._store = store
        self._committer = committer
        self._clock = clock

    async def define(
        self,
        rota_id: str,
        document: Mapping[str, Any],
        *,
        origin: Origin,
        expected: int | None,
        claim: Claim | None,
    ) -> RotaView:
        """Make or change a rota; see `rotas.define_rota`."""
        return await self._submit(
            lambda tx: rotas.define_rota(tx, rota_id, document, origin=origin, expected=expected),
            RotaView,
            claim,
        )

    async def override(
        self, rota_id: str, wanted: NewOverride, *, origin: Origin, claim: Claim | None
    ) -> Override:
        """Put somebody on call for a while; agents may put themselves.

        Raises:
            Forbidden: an agent named somebody else.
        """
        _may_change(origin, wanted.agent_id)
        return await self._submit(
            lambda tx: rotas.override(tx, rota_id, wanted, origin=origin), Override, claim
        )

    async def end_override(self, rota_id: str, override_id: UUID, *, origin: Origin) -> Override:
        """Take an override back; agents may take back what puts themselves on call.

        Raises:
            Forbidden: it puts somebody else on call.
        """

        def work(tx: Tx) -> Override:
            ended = rotas.end_override(tx, rota_id, override_id, origin=origin)
            _may_change(origin, ended.agent_id)
            return ended

        return await self._transact(work)

    async def rotas(self) -> list[RotaView]:
        """All rotas."""
        return await self._transact(rotas.list_rotas)

    async def rota(self, rota_id: str) -> RotaView:
        """One rota.

        Raises:
            NotFound: there is none.
        """
        return await self._transact(lambda tx: rotas.find_rota(tx, rota_id))

    async def on_call(self, rota_id: str, at: datetime | None) -> OnCall:
        """Who is on call at this moment; now without one.

        Raises:
            NotFound: there is no such rota.
        """
        moment = at or self._clock.now()
        return await self._transact(lambda tx: rotas.history_of(tx, rota_id).on_call(moment))

    async def schedule(
        self, rota_id: str, start: datetime | None, end: datetime | None
    ) -> list[Span]:
        """Who is on call when; the coming week when nothing is said.

        Raises:
            NotFound: there is no such rota.
            Invalid: the period is empty or too long.
        """
        begins = start or self._clock.now()
        ends = end or begins + timedelta(days=7)
        if ends <= begins:
            raise Invalid.of("to", "must lie after from")
        if ends - begins > SCHEDULE_MAX:
            raise Invalid.of("to", f"must be {SCHEDULE_MAX.days} days after from at most")
        return await self._transact(lambda tx: rotas.history_of(tx, rota_id).spans(begins, ends))

    async def make_feed(self, rota_id: str, agent_id: str | None, *, origin: Origin) -> str:
        """A token for the rota's calendar feed."""

        def work(tx: Tx) -> str:
            rotas.find_rota(tx, rota_id)
            changes = {"feed": (None, agent_id or "everybody")}
            note_in_events(tx, Operation.by(origin, "feed.make", rota_id, changes=changes))
            return feeds.make_feed(tx, rota_id, agent_id, made_by=origin.actor.id)

        return await self._transact(work)

    async def end_feeds(self, rota_id: str, *, origin: Origin) -> int:
        """Take back all addresses of the rota's calendar feeds."""

        def work(tx: Tx) -> int:
            rotas.find_rota(tx, rota_id)
            count = feeds.end_feeds(tx, rota_id)
            if count:
                changes = {"feeds": (count, 0)}
                note_in_events(tx, Operation.by(origin, "feeds.end", rota_id, changes=changes))
            return count

        return await self._transact(work)

    async def ical(self, rota_id: str, token: str) -> bytes:
        """The feed that this token opens.

        Raises:
            NotFound: it opens none.
        """

        def work(tx: Tx) -> bytes:
            agent_id = feeds.person_of(tx, rota_id, token)
            history = rotas.history_of(tx, rota_id)
            return feeds.as_ical(rota_id, history, now=self._clock.now(), agent_id=agent_id)

        return await self._transact(work)

    async def _submit(self, work: Callable[[Tx], R], kind: type[R], claim: Claim | None) -> R:
        outcome = await self._committer.submit(work, claim=claim)
        return msgspec.convert(outcome.result, kind) if outcome.replayed else outcome.result

    async def _transact(self, work: Callable[[Tx], R]) -> R:
        return await asyncio.to_thread(self._store.transact, work)


def _may_change(origin: Origin, agent_id: str) -> None:
    if not origin.principal.may(Role.SUPERVISOR) and origin.actor.id != agent_id:
        raise Forbidden("Agents may put only themselves on call.", field="agent_id")
