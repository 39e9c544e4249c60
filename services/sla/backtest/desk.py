"""The verbs: try a draft, judge again under a label, and what was judged again so far."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, Final, TypeVar
from uuid import UUID

import msgspec
from psycopg.types.json import Jsonb

from services.sla.backtest.question import Question, Trial, read_trial
from services.sla.backtest.running import Runner
from services.sla.promises import define
from shared.clock import Clock
from shared.errors import Invalid, NotFound, Refused
from shared.events.sla import SecondVerdict, SlaJudgedAgain
from shared.eventstore import EventStore, EventTransaction
from shared.http.origin import Origin
from shared.operations import Operation, note_in_events

BATCH: Final = 200
"""Tickets whose second verdict is stored in one transaction: their locks keep facts of the same tickets waiting."""

LABEL_CHARS_MAX: Final = 100

Tx = EventTransaction[Any]
R = TypeVar("R")
Lines = AsyncIterator[dict[str, Any]]


class LabelTaken(Refused):
    """There is a judgement with this label already: choose another, labels are never written over."""


class Judgement(Question, kw_only=True, forbid_unknown_fields=True):
    """A question whose answer is kept under a label.

    Without `policies`, the tickets are judged by the policies and calendars as they are now.
    """

    label: Annotated[str, msgspec.Meta(min_length=1, max_length=LABEL_CHARS_MAX)]


class TrialDesk:
    """Read-only but for second judgements, which are added beside the first and change none.

    Args:
        store: of this service.
        runner: starts the working process.
        clock: tells now.
    """

    def __init__(self, *, store: EventStore[Any], runner: Runner, clock: Clock) -> None:
        self._store = store
        self._runner = runner
        self._clock = clock

    async def backtest(self, question: Question) -> Lines:
        """The lines, which come as the log is read; the first may raise `Busy`.

        Raises:
            Invalid: naming what is wrong with the question or a draft.
        """
        return self._runner.run(await self._trial(question))

    async def timelines(self, question: Question, *, origin: Origin) -> Lines:
        """What happened to the window's tickets, and what is promised: the lines of `timelines.Line`.

        Who takes them is in the audit first: sensitive tickets may be among them.

        Raises:
            Invalid: naming what is wrong with the question.
        """
        trial = await self._trial(question)
        days = {"days": (None, question.days)}
        taken = Operation.by(origin, "timelines.take", "timelines", changes=days)
        await asyncio.to_thread(self._store.transact, lambda tx: note_in_events(tx, taken))
        return self._runner.run(trial, tells_timelines=True)

    async def judge_again(self, judgement: Judgement, *, origin: Origin) -> Lines:
        """The lines; goes on where an interrupted judgement of this label stopped.

        Raises:
            Invalid: naming what is wrong.
            LabelTaken: the label was used already.
        """
        if judgement.label.strip() != judgement.label or not judgement.label.isprintable():
            raise Invalid.of("label", "must be printable, without blanks at its ends")
        trial = await self._trial(judgement, lists_changes=True)
        until = await self._transact(lambda tx: _begin(tx, judgement, trial, origin))
        return self._judging(judgement.label, msgspec.structs.replace(trial, until=until), origin)

    async def judgements(self) -> list[dict[str, Any]]:
        """All of them, newest first, without their results' tickets."""
        return await self._transact(_all_judgements)

    async def judgement(self, label: str) -> dict[str, Any]:
        """One, with its result.

        Raises:
            NotFound: there is none.
        """
        return await self._transact(lambda tx: _one_judgement(tx, label))

    async def of_ticket(self, ticket_id: UUID) -> list[dict[str, Any]]:
        """What every second judgement says of a ticket, where it differs from the first."""
        return await self._transact(lambda tx: _of_ticket(tx, ticket_id))

    async def _judging(self, label: str, trial: Trial, origin: Origin) -> Lines:
        waiting: list[dict[str, Any]] = []
        async for line in self._runner.run(trial):
            if "changed" in line:
                waiting.append(line["changed"])
                if len(waiting) == BATCH:
                    await self._keep(label, waiting, origin)
                    waiting = []
                continue
            if "result" in line:
                await self._keep(label, waiting, origin)
                result = {"label": label, **line["result"]}
                await self._finish(label, result)
                yield {"result": result}
                continue
            yield line

    async def _keep(self, label: str, changed: Sequence[dict[str, Any]], origin: Origin) -> None:
        await self._transact(lambda tx: _keep(tx, label, changed, origin))

    async def _finish(self, label: str, result: dict[str, Any]) -> None:
        await self._transact(lambda tx: _finish(tx, label, result))

    async def _trial(self, question: Question, *, lists_changes: bool = False) -> Trial:
        def read(tx: Tx) -> Trial:
            return read_trial(
                question,
                policies=define.current_policies(tx),
                calendars=define.current_calendars(tx),
                now=self._clock.now(),
                lists_changes=lists_changes,
            )

        return await self._transact(read)

    async def _transact(self, work: Callable[[Tx], R]) -> R:
        return await asyncio.to_thread(self._store.transact, work)


def _begin(tx: Tx, judgement: Judgement, trial: Trial, origin: Origin) -> datetime:
    """Take the label; the moment as of which it judges, that of the first attempt if there was one."""
    question = msgspec.to_builtins(judgement)
    tx.cursor.execute(
        "INSERT INTO judgements (label, asked_at, asked_by, question, until)"
        " VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
        (judgement.label, tx.now, origin.actor.id, Jsonb(question), trial.until),
    )
    tx.cursor.execute(
        "SELECT question, until, finished_at FROM judgements WHERE label = %s", (judgement.label,)
    )
    row = tx.cursor.fetchone()
    assert row is not None, "it was inserted, or was there"
    if row["finished_at"] is not None or row["question"] != question:
        raise LabelTaken(f"There is a judgement {judgement.label!r} already.", field="label")
    until: datetime = row["until"]
    return until


def _keep(tx: Tx, label: str, changed: Sequence[dict[str, Any]], origin: Origin) -> None:
    """Store verdicts that are not stored yet, and say each in its ticket's stream."""
    verdicts = {UUID(one["ticket_id"]): one["changes"] for one in changed}
    # In the order of the ids, as everybody locks tickets.
    tx.cursor.execute(
        "SELECT ticket_id, stream_version FROM ticket_states WHERE ticket_id = ANY(%s)"
        " ORDER BY ticket_id FOR UPDATE",
        (sorted(verdicts),),
    )
    versions = {row["ticket_id"]: row["stream_version"] for row in tx.cursor.fetchall()}
    tx.cursor.execute(
        "INSERT INTO second_verdicts (label, ticket_id, verdicts)"
        " SELECT %s, * FROM unnest(%s::uuid[], %s::jsonb[]) ON CONFLICT DO NOTHING RETURNING ticket_id",
        (label, list(versions), [Jsonb(verdicts[ticket_id]) for ticket_id in versions]),
    )
    fresh = sorted(row["ticket_id"] for row in tx.cursor.fetchall())
    if not fresh:
        return
    tx.cursor.execute(
        "UPDATE ticket_states SET stream_version = stream_version + 1 WHERE ticket_id = ANY(%s)",
        (fresh,),
    )
    tx.append(
        *(
            SlaJudgedAgain(
                **origin.stamp(versions[ticket_id] + 1, tx.now, tx.now),
                ticket_id=ticket_id,
                label=label,
                verdicts=tuple(_verdict(change) for change in verdicts[ticket_id]),
            )
            for ticket_id in fresh
        )
    )


def _verdict(change: dict[str, Any]) -> SecondVerdict:
    return msgspec.convert(
        {
            "metric": change["metric"],
            "cycle": change["cycle"],
            "status": change["draft"],
            "first_status": change["happened"],
            "policy_id": change["policy_id"],
            "policy_version": change["policy_version"],
            "due_at": change["due_at"],
            "breached_at": change["breached_at"],
            "met_at": change["met_at"],
            "first_breached_at": change["happened_breached_at"],
        },
        SecondVerdict,
    )


def _finish(tx: Tx, label: str, result: dict[str, Any]) -> None:
    tx.cursor.execute(
        "UPDATE judgements SET result = %s, finished_at = %s WHERE label = %s",
        (Jsonb(result), tx.now, label),
    )


def _all_judgements(tx: Tx) -> list[dict[str, Any]]:
    tx.cursor.execute(
        "SELECT label, asked_at, asked_by, until, finished_at,"
        " (SELECT count(*) FROM second_verdicts AS v WHERE v.label = j.label) AS differing_tickets_count"
        " FROM judgements AS j ORDER BY asked_at DESC, label LIMIT 1000"
    )
    return list(tx.cursor.fetchall())


def _one_judgement(tx: Tx, label: str) -> dict[str, Any]:
    tx.cursor.execute(
        "SELECT label, asked_at, asked_by, question, until, result, finished_at FROM judgements"
        " WHERE label = %s",
        (label,),
    )
    row = tx.cursor.fetchone()
    if row is None:
        raise NotFound(f"There is no judgement {label!r}.", field="label")
    return dict(row)


def _of_ticket(tx: Tx, ticket_id: UUID) -> list[dict[str, Any]]:
    tx.cursor.execute(
        "SELECT v.label, j.asked_at, j.asked_by, j.until, v.verdicts FROM second_verdicts AS v"
        " JOIN judgements AS j USING (label) WHERE v.ticket_id = %s ORDER BY j.asked_at, v.label",
        (ticket_id,),
    )
    return list(tx.cursor.fetchall())
