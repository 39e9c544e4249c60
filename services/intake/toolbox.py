"""The verbs of prepared texts and macros: what fits a ticket, what a macro would do, doing it, taking it back."""

import asyncio
from typing import Any, Final, TypeVar
from uuid import UUID

import msgspec
from msgspec.structs import replace

from services.intake.app import Intake
from services.intake.asking import Asking, Reference
from services.intake.configuration import Document, document, documents
from services.intake.domain import Ticket, evolve
from services.intake.domain.actions import (
    Actions,
    Answer,
    AnswerFile,
    Macro,
    changes_of,
    commands_of,
    events_of_step,
    undoing,
)
from services.intake.domain.commands import Together
from services.intake.domain.context import Stamps
from services.intake.domain.placeholders import rendered
from services.intake.owners import owner_of
from services.intake.steps import Tx
from shared.errors import NotFound, Refused
from shared.events import StatusCategory
from shared.events.steps import ActionsApplied, ActionsUndone, RuleApplied
from shared.events.tickets import TicketEvent
from shared.eventstore import Outcome
from shared.identifiers import new_id

T = TypeVar("T")

OFFERED_MAX: Final = 50
"""A list to pick from: who sees fifty types another letter."""


class StepIsUndone(Refused):
    """It was taken back before."""

    def __init__(self, title: str) -> None:
        super().__init__(f"“{title}” was undone already")


class Step(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a macro did, would do, or what its undo did.

    Attributes:
        step_id: by which it can be undone; none when nothing changed, or nothing was to be done yet.
        changes: in the order in which they happen.
        kept: of an undo: what stays.
        missing: placeholders that nothing is known for; they are left empty.
    """

    ticket_id: UUID
    number: int
    version: int
    category: StatusCategory
    title: str
    step_id: UUID | None = None
    changes: list[dict[str, Any]] = []
    kept: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


class OfferedAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A prepared text, filled in for one ticket. `missing`: placeholders that nothing is known for.

    `files`: what goes out with it, for whose ids a reply may ask in `attachments`.
    """

    name: str
    title: str
    shortcut: str | None
    text: str
    missing: tuple[str, ...]
    files: tuple[AnswerFile, ...] = ()


class OfferedMacro(msgspec.Struct, frozen=True, kw_only=True):
    """A macro that may be used here."""

    name: str
    title: str
    description: str | None


class Offered(msgspec.Struct, frozen=True, kw_only=True):
    """What fits a ticket: of its group and of everybody, the best match first."""

    answers: list[OfferedAnswer]
    macros: list[OfferedMacro]


class Toolbox:
    """The verbs.

    Args:
        intake: whose steps they are made of.
    """

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    async def offered(self, which: Reference, words: str, asking: Asking) -> Offered:
        """What an agent may pick from; `words` narrow it down by shortcut, title and text.

        Raises:
            NotFound: there is no such ticket.
        """

        def look(tx: Tx) -> Offered:
            ticket = self._intake.load(tx, which, asking)
            group_id = owner_of(tx, ticket.id).group_id
            answers = [
                (name, one)
                for name, one in _all(documents(tx, "answer"), Answer)
                if _is_for(one.groups, group_id)
            ]
            macros = [
                (name, one)
                for name, one in _all(documents(tx, "macro"), Macro)
                if _is_for(one.groups, group_id)
            ]
            found = _best(
                words, [(one.shortcut or name, one.title, one.body) for name, one in answers]
            )
            usable = _best(
                words, [(name, one.title, one.description or "") for name, one in macros]
            )
            return Offered(
                answers=[_offer(*answers[place], ticket, asking) for place in found],
                macros=[
                    OfferedMacro(
                        name=macros[at][0],
                        title=macros[at][1].title,
                        description=macros[at][1].description,
                    )
                    for at in usable
                ],
            )

        return await asyncio.to_thread(self._intake.read, look)

    async def apply(
        self, which: Reference, name: str, asking: Asking, *, is_dry_run: bool = False
    ) -> Outcome[Step]:
        """Do all that the macro says or nothing; or only tell what it would do.

        Raises:
            NotFound, Conflict: as for `Intake.change`; there is no such macro.
            Refused: one of its changes is not possible on this ticket, so none happens.
        """

        def work(tx: Tx) -> Step:
            found = document(tx, "macro", name)
            return self.applying(tx, which, found, asking, is_dry_run=is_dry_run)

        claim = None if is_dry_run else asking.claim
        streams = self._intake.streams(which)
        outcome = await self._intake.together(work, Step, claim=claim, streams=streams)
        if outcome.result.category is StatusCategory.SOLVED and not is_dry_run:
            self._intake.closings.changed.set()
        return outcome

    async def undo(self, which: Reference, step_id: UUID, asking: Asking) -> Outcome[Step]:
        """Take a step back, as far as the ticket still is as the step left it. Messages stay: they were read.

        Raises:
            NotFound, Conflict: as for `Intake.change`; the ticket has no such step.
            StepIsUndone: it was taken back before. Refused: the ticket has ended meanwhile.
        """

        def work(tx: Tx) -> Step:
            return self.taking_back(tx, which, step_id, asking)

        return await self._intake.together(
            work, Step, claim=asking.claim, streams=self._intake.streams(which)
        )

    def applying(
        self,
        tx: Tx,
        which: Reference,
        found: Document,
        asking: Asking,
        *,
        is_dry_run: bool = False,
    ) -> Step:
        """A step: do what this macro says in the caller's transaction. Raises as `apply`."""
        ticket = self._intake.load(tx, which, asking)
        macro = msgspec.convert(found.definition, Macro)
        stamps = Stamps(ticket.id, ticket.version, asking.context(tx.now), asking.at(tx.now))
        marker = ActionsApplied(
            **stamps.next(),
            step_id=new_id(),
            source="macro" if found.name else "change of many",
            name=found.name,
            definition_version=found.version,
            title=macro.title,
        )
        group_id = owner_of(tx, ticket.id).group_id
        answer = _answer_of(tx, macro.actions)
        actions = macro.actions.with_answer(answer)
        commands = commands_of(
            actions,
            ticket,
            asking.actor,
            group_id=group_id,
            at=tx.now,
            files=answer.files if answer else (),
        )
        events = self._following(tx, ticket, marker, commands, asking)
        missing = _missing(actions, ticket, asking)
        done = _step(ticket, macro.title, events, missing=missing)
        if is_dry_run or not events:
            return done
        after = self._intake.save(tx, ticket, [marker, *events])
        return replace(done, step_id=marker.step_id, version=after.version, category=after.category)

    def taking_back(self, tx: Tx, which: Reference, step_id: UUID, asking: Asking) -> Step:
        """A step: undo one in the caller's transaction. Raises as `undo`."""
        ticket = self._intake.load(tx, which, asking)
        history = tx.history(ticket.id)
        step = _find(history, step_id)
        done = events_of_step(history, step.event_id)
        back = undoing(ticket, done, owner_of(tx, ticket.id).group_id)
        stamps = Stamps(ticket.id, ticket.version, asking.context(tx.now), asking.at(tx.now))
        marker = ActionsUndone(**stamps.next(), step_id=step_id, title=step.title, kept=back.kept)
        events = self._following(tx, ticket, marker, Together(commands=back.commands), asking)
        after = self._intake.save(tx, ticket, [marker, *events])
        return replace(_step(after, step.title, events), step_id=step_id, kept=back.kept)

    def _following(
        self,
        tx: Tx,
        ticket: Ticket,
        marker: ActionsApplied | ActionsUndone,
        commands: Together,
        asking: Asking,
    ) -> list[TicketEvent]:
        """What the commands bring about after the marker, each event with it as its cause; nothing is written yet."""
        because = replace(asking, causation_id=marker.event_id)
        return self._intake.decided(tx, evolve(ticket, marker), commands, because)


def _answer_of(tx: Tx, actions: Actions) -> Answer | None:
    """The prepared text that they name. Raises NotFound: there is none (any more)."""
    if actions.answer is None:
        return None
    return msgspec.convert(document(tx, "answer", actions.answer).definition, Answer)


def _find(history: list[Any], step_id: UUID) -> ActionsApplied | RuleApplied:
    found: ActionsApplied | RuleApplied | None = None
    for event in history:
        if isinstance(event, ActionsApplied | RuleApplied) and event.step_id == step_id:
            found = event
        if isinstance(event, ActionsUndone) and event.step_id == step_id:
            raise StepIsUndone(event.title)
    if found is None:
        raise NotFound(f"the ticket has no step {step_id}")
    return found


def _step(
    ticket: Ticket, title: str, events: list[TicketEvent], *, missing: tuple[str, ...] = ()
) -> Step:
    return Step(
        ticket_id=ticket.id,
        number=ticket.number,
        version=ticket.version,
        category=ticket.category,
        title=title,
        changes=changes_of(events),
        missing=missing,
    )


def _missing(actions: Actions, ticket: Ticket, asking: Asking) -> tuple[str, ...]:
    texts = [actions.reply, actions.note, actions.resolve.summary if actions.resolve else None]
    names = [
        name for text in texts if text for name in rendered(text, ticket, asking.actor).missing
    ]
    return tuple(dict.fromkeys(names))


def _all(found: list[Document], type_: type[T]) -> list[tuple[str, T]]:
    return [(one.name, msgspec.convert(one.definition, type_)) for one in found]


def _is_for(groups: tuple[str, ...], group_id: str | None) -> bool:
    return not groups or group_id in groups


def _best(words: str, texts: list[tuple[str, str, str]]) -> list[int]:
    """Places of the texts that have all the words: beginning with them, then in the title, then anywhere."""
    wanted = words.casefold().split()
    ranked: list[tuple[int, str, int]] = []
    for place, (short, title, body) in enumerate(texts):
        head, named = short.casefold(), f"{short} {title}".casefold()
        everything = f"{named} {body.casefold()}"
        if not all(word in everything for word in wanted):
            continue
        is_first = bool(wanted) and head.startswith(" ".join(wanted))
        rank = 0 if is_first else 1 if all(word in named for word in wanted) else 2
        ranked.append((rank, title.casefold(), place))
    return [place for _, _, place in sorted(ranked)[:OFFERED_MAX]]


def _offer(name: str, answer: Answer, ticket: Ticket, asking: Asking) -> OfferedAnswer:
    text = rendered(answer.body, ticket, asking.actor)
    return OfferedAnswer(
        name=name,
        title=answer.title,
        shortcut=answer.shortcut,
        text=text.text,
        missing=text.missing,
        files=answer.files,
    )
