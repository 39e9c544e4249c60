"""One change of many tickets as a job: each ticket by itself, once, whatever dies meanwhile; and its undo."""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

import msgspec
import structlog

from services.intake.app import Intake
from services.intake.asking import Asking
from services.intake.configuration import Document, document
from services.intake.domain.actions import Macro
from services.intake.steps import Tx
from services.intake.toolbox import Step, Toolbox
from shared.database import TRANSIENT
from shared.errors import NotFound, Refused
from shared.events import Actor, Channel
from shared.eventstore import Claim, Outcome
from shared.identifiers import new_id
from shared.operations import Operation, note_in_events

log = structlog.get_logger(__name__)

TICKETS_MAX: Final = 10_000
"""Of one request; as many as a batch takes."""

JOB_TICKETS_MAX: Final = 200_000
"""Of one job, page after page; at a hundred tickets a second it is done within the hour."""

TOGETHER: Final = 8
"""Tickets under way at once: they share a commit, and leave the writer to others between two."""

LISTED_MAX: Final = 1_000
"""Items of one answer."""

LOOK_AGAIN_SECONDS: Final = 5.0
"""A job that another process was asked for rings no bell here."""

State = Literal["waiting", "done", "unchanged", "refused"]


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A job and how far it is.

    Attributes:
        macro, version: which document says what is done; empty and 0 when the caller said it at once.
        title: of what is done.
        undo_of: the job that it takes back.
        ended_at: when it was stopped or undone: nothing is added or begun any more.
    """

    job_id: UUID
    macro: str
    version: int
    title: str
    undo_of: UUID | None
    created_at: datetime
    ended_at: datetime | None
    total: int
    waiting: int
    done: int
    unchanged: int
    refused: int


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """What has become of one ticket. `step_id`: by which it can be undone alone; `reason`: of a refusal."""

    place: int
    ticket_id: UUID
    number: int | None
    state: State
    step_id: UUID | None
    reason: str | None


class JobHasEnded(Refused):
    """It was stopped or undone, or takes another one back: no ticket is added to it."""

    def __init__(self, job_id: UUID) -> None:
        super().__init__(f"job {job_id} takes no more tickets")


class JobIsNotYours(Refused):
    """Somebody else asked for it, and its changes are made in their name."""

    def __init__(self, job_id: UUID) -> None:
        super().__init__(f"job {job_id} is somebody else's")


class JobIsTooLong(Refused):
    """So many tickets are several jobs."""

    def __init__(self) -> None:
        super().__init__(f"a job has at most {JOB_TICKETS_MAX} tickets")


class _Next(msgspec.Struct, frozen=True, kw_only=True):
    job_id: UUID
    place: int
    ticket_id: UUID
    step_id: UUID | None
    macro: str
    version: int
    definition: dict[str, Any]
    undo_of: UUID | None
    actor: Actor
    via: Channel
    correlation_id: str


class Bulk:
    """The verbs of jobs, and the worker that does them.

    Args:
        intake: whose transactions they happen in.
        toolbox: does and undoes one macro on one ticket.
    """

    def __init__(self, intake: Intake, toolbox: Toolbox) -> None:
        self._intake = intake
        self._toolbox = toolbox
        self._changed = asyncio.Event()

    async def start(
        self, macro: str | Macro, ticket_ids: Sequence[UUID], asking: Asking, claim: Claim | None
    ) -> Outcome[Job]:
        """Take a job on; it is done in the background, in this order. A ticket that is named twice is done once.

        Args:
            macro: by name, or for this job alone.
            ticket_ids: which tickets.
            asking: for whom.
            claim: of the request.

        Raises:
            NotFound: there is no such macro. What a ticket refuses is told with the item.
            Invalid: what shall be done could never be done.
        """

        def work(tx: Tx) -> Job:
            if isinstance(macro, Macro):
                macro.check(self._intake.configuration.house.definitions.fields)
                found = Document("", 0, msgspec.to_builtins(macro))
            else:
                found = document(tx, "macro", macro)
            items = [(ticket_id, None) for ticket_id in dict.fromkeys(ticket_ids)]
            job = self._put(tx, found, items, asking)
            changes = {"tickets": (None, len(items))}
            note_in_events(tx, Operation.by(asking, "bulk.start", str(job.job_id), changes=changes))
            return job

        return await self._started(work, claim)

    async def add(
        self, job_id: UUID, ticket_ids: Sequence[UUID], asking: Asking, claim: Claim | None
    ) -> Outcome[Job]:
        """More tickets for a job, which may be under way: a list is handed over page by page.

        A ticket that it has already is not done twice.

        Raises:
            NotFound: there is no such job. JobHasEnded, JobIsNotYours, JobIsTooLong: see there.
        """

        def work(tx: Tx) -> Job:
            tx.cursor.execute(
                "SELECT actor ->> 'id' AS actor_id FROM bulk_jobs WHERE job_id = %s FOR UPDATE",
                (job_id,),
            )
            row = tx.cursor.fetchone()
            job = _job(tx, job_id)
            if row is not None and row["actor_id"] != asking.actor.id:
                raise JobIsNotYours(job_id)
            if job.ended_at is not None or job.undo_of is not None:
                raise JobHasEnded(job_id)
            if job.total + len(ticket_ids) > JOB_TICKETS_MAX:
                raise JobIsTooLong
            tx.cursor.execute(
                "SELECT ticket_id FROM bulk_items WHERE job_id = %s AND ticket_id = ANY(%s)",
                (job_id, list(ticket_ids)),
            )
            known = {one["ticket_id"] for one in tx.cursor.fetchall()}
            fresh = [one for one in dict.fromkeys(ticket_ids) if one not in known]
            _put_items(tx, job_id, [(one, None) for one in fresh], after=job.total)
            return _job(tx, job_id)

        return await self._started(work, claim)

    async def stop(self, job_id: UUID, asking: Asking, claim: Claim | None) -> Outcome[Job]:
        """What waits is not begun; what was done stays.

        Raises:
            NotFound: there is no such job.
        """

        def work(tx: Tx) -> Job:
            _end(tx, job_id, f"{asking.actor.name or asking.actor.id} stopped the job")
            note_in_events(tx, Operation.by(asking, "bulk.stop", str(job_id)))
            return _job(tx, job_id)

        return await self._started(work, claim)

    async def undo(self, job_id: UUID, asking: Asking, claim: Claim | None) -> Outcome[Job]:
        """Take back what the job has done so far, ticket by ticket, as a job of its own; what waits is not begun.

        Raises:
            NotFound: there is no such job.
        """

        def work(tx: Tx) -> Job:
            job = _job(tx, job_id)
            tx.cursor.execute(
                "SELECT definition FROM bulk_jobs WHERE job_id = %s FOR UPDATE", (job_id,)
            )
            row = tx.cursor.fetchone()
            assert row is not None, "it has just been read"
            tx.cursor.execute(
                "SELECT ticket_id, step_id FROM bulk_items"
                " WHERE job_id = %s AND state = 'done' ORDER BY place",
                (job_id,),
            )
            items = [(one["ticket_id"], one["step_id"]) for one in tx.cursor.fetchall()]
            _end(tx, job_id, "the job was undone before its turn")
            note_in_events(tx, Operation.by(asking, "bulk.undo", str(job_id)))
            found = Document(job.macro, job.version, row["definition"])
            return self._put(tx, found, items, asking, undo_of=job_id)

        return await self._started(work, claim)

    async def job(self, job_id: UUID) -> Job:
        """How far it is. Raises NotFound."""
        return await asyncio.to_thread(self._intake.read, lambda tx: _job(tx, job_id))

    async def items(self, job_id: UUID, state: State | None, after: int) -> list[Item]:
        """Its tickets in order from the place after `after`, at most `LISTED_MAX`."""

        def look(tx: Tx) -> list[Item]:
            tx.cursor.execute(
                "SELECT place, ticket_id, number, state, step_id, reason FROM bulk_items"
                " WHERE job_id = %s AND place > %s AND (%s::text IS NULL OR state = %s)"
                " ORDER BY place LIMIT %s",
                (job_id, after, state, state, LISTED_MAX),
            )
            return msgspec.convert(tx.cursor.fetchall(), list[Item])

        return await asyncio.to_thread(self._intake.read, look)

    async def run(self) -> None:
        """Until cancelled: do whatever waits. Several processes share a job; no ticket is done twice."""
        while True:
            try:
                if any(await asyncio.gather(*(self.do_next() for _ in range(TOGETHER)))):
                    continue
            except TRANSIENT as error:
                log.warning("bulk_waits", error=type(error).__name__)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), LOOK_AGAIN_SECONDS)
            self._changed.clear()

    async def do_next(self) -> bool:
        """One ticket and its row in one transaction; whether there was one.

        What nobody planned (an event too large for the log) is that ticket's answer too, and logged: it must neither
        end the worker nor come first for ever.
        """
        taken: list[_Next] = []
        try:
            return (await self._intake.together(lambda tx: self._do_one(tx, taken), bool)).result
        except TRANSIENT:
            raise
        except Exception as error:
            if not taken:
                raise
            item = taken[-1]
            log.exception("bulk_item_failed", job_id=str(item.job_id), place=item.place)
            reason = f"failed, and nothing was changed ({type(error).__name__})"
            return (
                await self._intake.together(lambda tx: self._give_up(tx, item, reason), bool)
            ).result

    def _give_up(self, tx: Tx, item: _Next, reason: str) -> bool:
        tx.cursor.execute(
            "UPDATE bulk_items SET state = 'refused', reason = %s"
            " WHERE job_id = %s AND place = %s AND state = 'waiting'",
            (reason, item.job_id, item.place),
        )
        return True

    def _do_one(self, tx: Tx, taken: list[_Next]) -> bool:
        tx.cursor.execute(
            "SELECT i.job_id, i.place, i.ticket_id, i.step_id, j.macro, j.version, j.definition, j.undo_of,"
            " j.actor, j.via, j.correlation_id FROM bulk_items AS i JOIN bulk_jobs AS j USING (job_id)"
            " WHERE i.state = 'waiting' ORDER BY j.created_at, i.job_id, i.place"
            " LIMIT 1 FOR UPDATE OF i SKIP LOCKED"
        )
        row = tx.cursor.fetchone()
        if row is None:
            return False
        item = msgspec.convert(row, _Next)
        taken.append(item)
        state, step, reason = self._outcome(tx, item)
        tx.cursor.execute(
            "UPDATE bulk_items SET state = %s, step_id = coalesce(%s, step_id), number = %s, reason = %s"
            " WHERE job_id = %s AND place = %s",
            (
                state,
                step.step_id if step else None,
                step.number if step else None,
                reason,
                item.job_id,
                item.place,
            ),
        )
        return True

    def _outcome(self, tx: Tx, item: _Next) -> tuple[State, Step | None, str | None]:
        asking = Asking(actor=item.actor, via=item.via, correlation_id=item.correlation_id)
        mark = tx.mark()
        try:
            if item.undo_of is not None:
                assert item.step_id is not None, "only what was done is undone"
                return (
                    "done",
                    self._toolbox.taking_back(tx, item.ticket_id, item.step_id, asking),
                    None,
                )
            found = Document(item.macro, item.version, item.definition)
            step = self._toolbox.applying(tx, item.ticket_id, found, asking)
        except Refused as refusal:  # this ticket's answer; the others go on
            tx.rewind(mark)
            return "refused", None, refusal.detail
        return ("done" if step.step_id else "unchanged"), step, None

    def _put(
        self,
        tx: Tx,
        found: Document,
        items: Sequence[tuple[UUID, UUID | None]],
        asking: Asking,
        *,
        undo_of: UUID | None = None,
    ) -> Job:
        job_id = new_id()
        tx.cursor.execute(
            "INSERT INTO bulk_jobs (job_id, macro, version, definition, undo_of, actor, via, correlation_id,"
            " created_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            (
                job_id,
                found.name,
                found.version,
                msgspec.json.encode(found.definition).decode(),
                undo_of,
                msgspec.json.encode(asking.actor).decode(),
                asking.via.value,
                asking.correlation_id,
                tx.now,
            ),
        )
        _put_items(tx, job_id, items)
        return _job(tx, job_id)

    async def _started(self, work: Any, claim: Claim | None) -> Outcome[Job]:
        outcome = await self._intake.together(work, Job, claim=claim)
        self._changed.set()
        return outcome


def _put_items(
    tx: Tx, job_id: UUID, items: Sequence[tuple[UUID, UUID | None]], *, after: int = 0
) -> None:
    tx.cursor.execute(
        "INSERT INTO bulk_items (job_id, place, ticket_id, step_id)"
        " SELECT %s, %s + place, ticket_id, step_id"
        " FROM unnest(%s::uuid[], %s::uuid[]) WITH ORDINALITY AS given (ticket_id, step_id, place)",
        (job_id, after, [one for one, _ in items], [step for _, step in items]),
    )


def _end(tx: Tx, job_id: UUID, reason: str) -> None:
    tx.cursor.execute(
        "UPDATE bulk_jobs SET ended_at = coalesce(ended_at, %s) WHERE job_id = %s",
        (tx.now, job_id),
    )
    tx.cursor.execute(
        "UPDATE bulk_items SET state = 'refused', reason = %s WHERE job_id = %s AND state = 'waiting'",
        (reason, job_id),
    )


def _job(tx: Tx, job_id: UUID) -> Job:
    tx.cursor.execute(
        "SELECT j.job_id, j.macro, j.version, j.definition ->> 'title' AS title, j.undo_of, j.created_at,"
        " j.ended_at,"
        " count(i.place) AS total,"
        " count(*) FILTER (WHERE i.state = 'waiting') AS waiting,"
        " count(*) FILTER (WHERE i.state = 'done') AS done,"
        " count(*) FILTER (WHERE i.state = 'unchanged') AS unchanged,"
        " count(*) FILTER (WHERE i.state = 'refused') AS refused"
        " FROM bulk_jobs AS j LEFT JOIN bulk_items AS i USING (job_id) WHERE j.job_id = %s GROUP BY j.job_id",
        (job_id,),
    )
    row = tx.cursor.fetchone()
    if row is None:
        raise NotFound(f"there is no job {job_id}")
    return msgspec.convert(row, Job)
