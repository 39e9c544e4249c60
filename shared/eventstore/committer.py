"""Group commit: requests that arrive together share one transaction, and none pays for its neighbour's conflict."""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable, Collection, Sequence
from contextvars import copy_context
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

import msgspec
import psycopg
import structlog

from shared.database import is_transient
from shared.errors import KeyReused
from shared.eventstore.claims import Claim, Claimed, find_claims, store_claims
from shared.eventstore.store import EventStore, EventTransaction
from shared.observability import metrics

S = TypeVar("S")
Result = TypeVar("Result")
log = structlog.get_logger(__name__)

GROUP_MAX: Final = 500
"""Members of one transaction: past this the commit no longer gets cheaper per member, only later for the first."""

WAITING_MAX: Final = 20_000
"""Requests that may wait for the writer; more are refused at once, which is kinder than a time-out."""


class Overloaded(psycopg.OperationalError):
    """Too many requests wait for the writer; answered as 503 with Retry-After."""


class Outcome(msgspec.Struct, Generic[Result], frozen=True):
    """What a command came to. `replayed`: it was asked before, and this is the first answer again (as plain JSON)."""

    result: Result
    replayed: bool = False


class _Member:
    """One request on its way through the writer."""

    __slots__ = ("claim", "context", "error", "future", "loop", "outcome", "streams", "work")

    def __init__(
        self,
        work: Callable[[EventTransaction[Any]], Any],
        streams: Collection[UUID],
        claim: Claim | None,
    ) -> None:
        self.work = work
        self.streams = streams
        self.claim = claim
        self.context = copy_context()  # its log lines carry the request's correlation id
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Outcome[Any]] = self.loop.create_future()
        self.outcome: Outcome[Any] | None = None
        self.error: BaseException | None = None


class GroupCommitter(Generic[S]):
    """The one way of commands into an event store: one writer thread; while it commits, the next group gathers.

    Args:
        store: where the events go.
        isolate: give each member a savepoint; needed when `work` writes rows before it may refuse.
        group_max: members of one transaction.
    """

    def __init__(
        self, store: EventStore[S], *, isolate: bool = False, group_max: int = GROUP_MAX
    ) -> None:
        self._store = store
        self._isolate = isolate
        self._group_max = group_max
        self._queue: queue.SimpleQueue[_Member | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._stop_lock = asyncio.Lock()

    def start(self) -> None:
        """Start the writer thread. Nothing happens when it runs already."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="group-committer", daemon=True)
            self._thread.start()

    async def stop(self) -> None:
        """Finish what was submitted, also while this waits, then end the writer thread."""
        async with self._stop_lock:
            while self._thread is not None:
                self._queue.put(None)
                await asyncio.to_thread(self._thread.join)
                self._thread = None
                if late := self._submitted():
                    for member in late:
                        self._queue.put(member)
                    self.start()

    async def submit(
        self,
        work: Callable[[EventTransaction[S]], Result],
        *,
        streams: Collection[UUID] = (),
        claim: Claim | None = None,
    ) -> Outcome[Result]:
        """Run `work` in the next group and return after its commit.

        Args:
            work: reads states, may refuse, appends; its result must encode to JSON and is kept with the claim.
            streams: whose states to load beforehand, in one query for the whole group.
            claim: makes the request idempotent; a repetition gets the first answer.

        Raises:
            KeyReused: the claim was made for another request.
            Exception: whatever `work` raised; its neighbours are not touched.
        """
        if self._queue.qsize() > WAITING_MAX:
            raise Overloaded("too many requests wait for the writer")
        self.start()
        member = _Member(work, streams, claim)
        self._queue.put(member)
        return await member.future

    def _submitted(self) -> list[_Member]:
        """What came behind the word to stop; taken out of the queue."""
        late: list[_Member] = []
        with contextlib.suppress(queue.Empty):
            while True:
                if (member := self._queue.get_nowait()) is not None:
                    late.append(member)
        return late

    def _run(self) -> None:
        while True:
            member = self._queue.get()
            members: list[_Member] = []
            while member is not None:
                members.append(member)
                if len(members) >= self._group_max:
                    break
                try:
                    member = self._queue.get_nowait()
                except queue.Empty:
                    break
            if members:
                self._commit(members)
            if member is None:
                return

    def _commit(self, members: list[_Member]) -> None:
        metrics.STORE_GROUP_SIZE.observe(len(members))
        metrics.STORE_COMMANDS_WAITING.set(self._queue.qsize())
        try:
            self._attempt(members)
        except psycopg.errors.UniqueViolation:
            # Another process was first for at least one of them: alone, only that one reads again.
            for member in members:
                self._alone(member)
        except BaseException as error:  # noqa: BLE001  # every caller is told; the writer must live on
            if len(members) == 1:
                members[0].error = error
            elif _concerns_all(error):
                for member in members:
                    member.error = _for_one(error)
            else:
                log.warning("group_failed_members_go_alone", error=repr(error), size=len(members))
                for member in members:
                    self._alone(member)
        _deliver(members)

    def _alone(self, member: _Member) -> None:
        try:
            self._attempt([member])
        except psycopg.errors.UniqueViolation:
            try:
                self._attempt([member])
            except BaseException as error:  # noqa: BLE001
                member.error = error
        except BaseException as error:  # noqa: BLE001
            member.error = error

    def _attempt(self, members: Sequence[_Member]) -> None:
        streams = [stream for member in members for stream in member.streams]
        self._store.transact(lambda tx: self._apply(tx, members), streams=streams)

    def _apply(self, tx: EventTransaction[S], members: Sequence[_Member]) -> None:
        claimed = find_claims(tx, [member.claim.id for member in members if member.claim])
        fresh: list[tuple[Claim, bytes]] = []
        for member in members:
            member.outcome, member.error = None, None
            mark = tx.mark()
            try:
                if member.claim and (earlier := claimed.get(member.claim.id)):
                    member.outcome = _replay(member.claim, earlier)
                    continue
                if self._isolate:
                    with tx.savepoint():
                        result = member.context.run(member.work, tx)
                else:
                    result = member.context.run(member.work, tx)
            except psycopg.Error:
                raise
            except Exception as error:  # noqa: BLE001  # it is the caller's, and only this caller's
                tx.rewind(mark)
                member.error = error
                continue
            member.outcome = Outcome(result)
            if member.claim:
                answer = msgspec.json.encode(result)
                claimed[member.claim.id] = Claimed(member.claim.body_hash, answer)
                fresh.append((member.claim, answer))
        store_claims(tx, fresh)


def _replay(claim: Claim, earlier: Claimed) -> Outcome[Any]:
    if earlier.body_hash != claim.body_hash:
        raise KeyReused(
            "This Idempotency-Key was used before for another request.",
            field="header Idempotency-Key",
        )
    metrics.STORE_REPLAYS.inc()
    return Outcome(msgspec.json.decode(earlier.result), replayed=True)


def _concerns_all(error: BaseException) -> bool:
    """Whether the server is at fault (away, full, locked), and not what one of the members asked of it.

    Class 54 is an `OperationalError` too, and says that a value of one member is past PostgreSQL's own limits.
    """
    if not isinstance(error, psycopg.OperationalError):
        return False
    return is_transient(error)


def _for_one(error: BaseException) -> BaseException:
    """A copy of a shared error: callers raise it at the same time, each with its own traceback and context."""
    copy = type(error)(*error.args)
    copy.__cause__ = error
    return copy


def _deliver(members: Sequence[_Member]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[_Member]] = {}
    for member in members:
        by_loop.setdefault(member.loop, []).append(member)
    for loop, mine in by_loop.items():
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits there any more
            loop.call_soon_threadsafe(_settle, mine)


def _settle(members: Sequence[_Member]) -> None:
    for member in members:
        if member.future.done():
            continue
        if isinstance(member.error, StopIteration):  # a future cannot carry it
            error = RuntimeError("the work ended with StopIteration")
            error.__cause__ = member.error
            member.future.set_exception(error)
        elif member.error is not None:
            member.future.set_exception(member.error)
        else:
            assert member.outcome is not None
            member.future.set_result(member.outcome)
