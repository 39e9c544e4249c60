"""What the rules of a ticket refuse, each named as the fact that is in the way."""

from datetime import datetime
from uuid import UUID

from services.intake.domain.parts import Answer
from shared.errors import Conflict, Refused
from shared.events import StatusCategory


class AnswerCrossed(Conflict):
    """Somebody else answered the customer after what the writer has read."""

    title = "Somebody else has answered"

    def __init__(self, number: int, answer: Answer, seen_version: int) -> None:
        super().__init__(
            f"{answer.by_name} answered ticket {number} on {answer.at:%d %B %Y at %H:%M} UTC, after what you have"
            f" read (version {seen_version}); nothing was stored. Read that answer, then decide again."
        )


class TicketIsClosed(Refused):
    """Closed is for good; what comes later is a new ticket."""

    def __init__(self, number: int) -> None:
        super().__init__(
            f"ticket {number} is closed for good; open a new ticket and link it to this one"
        )


class TicketIsMerged(Refused):
    """The ticket lives on as another one; the caller is told which."""

    def __init__(self, number: int, into_ticket_id: UUID, into_number: int) -> None:
        super().__init__(
            f"ticket {number} was merged into ticket {into_number} ({into_ticket_id}); write there"
        )
        self.into_ticket_id = into_ticket_id
        self.into_number = into_number


class TicketIsSolved(Refused):
    """Solved is left by reopening or closing, never by a mere change of status."""

    def __init__(self, number: int) -> None:
        super().__init__(f"ticket {number} is solved; reopen it first", field="status")


class TicketIsNotSolved(Refused):
    """There is nothing to reopen."""

    def __init__(self, number: int, category: StatusCategory) -> None:
        super().__init__(f"ticket {number} is {category}; only a solved ticket can be reopened")


class NewNeverReturns(Refused):
    """Once somebody has looked at a ticket it is not new any more."""

    def __init__(self, number: int) -> None:
        super().__init__(
            f"ticket {number} cannot become new again; a ticket is new only until it is touched",
            field="status.category",
        )


class StatusHasItsOwnVerb(Refused):
    """Solving and closing say more than a status does, so they are asked for by name."""

    def __init__(self, category: StatusCategory) -> None:
        verb = "resolve, with a summary" if category is StatusCategory.SOLVED else "close"
        super().__init__(
            f"the status {category} is not set by hand; ask for: {verb}", field="status.category"
        )


class PostponementNeedsADate(Refused):
    """Postponed means: until a moment. No moment, no postponement."""

    def __init__(self) -> None:
        super().__init__("postponed needs `until`, the moment to look again", field="status.until")


class OnlyPostponementHasADate(Refused):
    """`until` came with another category."""

    def __init__(self, category: StatusCategory) -> None:
        super().__init__(f"`until` belongs to postponed, not to {category}", field="status.until")


class PostponementIsOutOfRange(Refused):
    """`until` is not after the moment of asking, or too far after it."""

    def __init__(self, days_max: int) -> None:
        super().__init__(
            f"`until` must lie in the future, at most {days_max} days from now",
            field="status.until",
        )


class OpeningStatusIsNotPossible(Refused):
    """A ticket does not begin there."""

    def __init__(self, category: StatusCategory) -> None:
        super().__init__(
            f"a ticket cannot begin as {category}; open it, then bring it there", field="category"
        )


class TooManyTags(Refused):
    """The set of tags would grow beyond its limit."""

    def __init__(self, tags_max: int) -> None:
        super().__init__(f"a ticket has at most {tags_max} tags", field="tags")


class TooManyFields(Refused):
    """The custom fields would grow beyond their limit."""

    def __init__(self, fields_max: int) -> None:
        super().__init__(f"a ticket has at most {fields_max} fields", field="fields")


class TooManyLinks(Refused):
    """The links would grow beyond their limit."""

    def __init__(self, number: int, links_max: int) -> None:
        super().__init__(f"ticket {number} has {links_max} links already, the most it may have")


class AlreadyLinked(Refused):
    """Two tickets have one relation at a time; taking it away comes first."""

    def __init__(self, number: int, other_number: int, relation: str) -> None:
        super().__init__(
            f"ticket {number} already has ticket {other_number} as {relation}; unlink it first",
            field="relation",
        )


class TicketHasAParent(Refused):
    """Families are trees: one parent at a time."""

    def __init__(self, number: int, parent_number: int) -> None:
        super().__init__(
            f"ticket {number} has ticket {parent_number} as its parent already", field="relation"
        )


class FamilyIsTooDeep(Refused):
    """Parents of parents beyond any use."""

    def __init__(self, depth_max: int) -> None:
        super().__init__(f"a family of tickets is at most {depth_max} deep", field="relation")


class TicketMeetsItself(Refused):
    """A ticket is neither merged into nor linked to itself, directly or through a chain."""

    def __init__(self, number: int) -> None:
        super().__init__(f"ticket {number} would be joined with itself", field="ticket_id")


class ExternalIdIsTaken(Refused):
    """Another ticket was opened with this `external_id`."""

    def __init__(self, external_id: str, ticket_id: UUID) -> None:
        super().__init__(
            f"external_id {external_id!r} belongs to ticket {ticket_id}", field="external_id"
        )
        self.ticket_id = ticket_id


class ReopenWindowIsOver(Refused):
    """The time in which a reply reopens has passed; what comes now is a follow-up."""

    def __init__(self, number: int, until: datetime) -> None:
        super().__init__(
            f"ticket {number} could be reopened by a reply until {until:%Y-%m-%d %H:%M} UTC;"
            " open a new ticket and link it to this one"
        )


class TicketIsInternal(Refused):
    """There is no customer on an internal ticket."""

    def __init__(self, number: int) -> None:
        super().__init__(f"ticket {number} is internal: nobody outside reads it; use a note")


class NobodyOutsideToWriteTo(Refused):
    """An internal ticket is opened by people who work here, and for them."""

    def __init__(self) -> None:
        super().__init__("an internal ticket is not outbound", field="is_internal")


class TicketIsNotMerged(Refused):
    """There is no merge to undo."""

    def __init__(self, number: int) -> None:
        super().__init__(f"ticket {number} is not part of another ticket")


class NothingWasSplit(Refused):
    """There is no split to undo."""

    def __init__(self, number: int) -> None:
        super().__init__(f"no messages of ticket {number} became that ticket", field="ticket_id")


class MessageIsNotHere(Refused):
    """The message belongs to another ticket, or to none."""

    def __init__(self, number: int, message_id: UUID, *, field: str) -> None:
        super().__init__(f"ticket {number} has no message {message_id}", field=field)


class SplitNeedsAMessage(Refused):
    """A ticket begins with something that was written to or by a customer."""

    def __init__(self) -> None:
        super().__init__("choose at least one message that is not a note", field="message_ids")


class SplitLeavesNothing(Refused):
    """All messages would go: that is another subject, and not another ticket."""

    def __init__(self, number: int) -> None:
        super().__init__(
            f"ticket {number} would have no message left; change its subject instead",
            field="message_ids",
        )


class TooManySplits(Refused):
    """More tickets came out of this one than anybody can oversee."""

    def __init__(self, number: int, splits_max: int) -> None:
        super().__init__(f"{splits_max} tickets have been split from ticket {number} already")


class ChildrenAreOpen(Refused):
    """The ticket was told to wait for its children."""

    def __init__(self, number: int, children: tuple[int, ...]) -> None:
        named = ", ".join(f"#{child}" for child in children)
        super().__init__(f"ticket {number} waits for its children, and these are open: {named}")


class NoSuchTask(Refused):
    """The ticket has no such task."""

    def __init__(self, number: int, task_id: UUID) -> None:
        super().__init__(f"ticket {number} has no task {task_id}", field="task_id")


class TooManyTasks(Refused):
    """The tasks would grow beyond their limit."""

    def __init__(self, tasks_max: int) -> None:
        super().__init__(f"a ticket has at most {tasks_max} tasks", field="title")


class TooManyParticipants(Refused):
    """The participants would grow beyond their limit."""

    def __init__(self, participants_max: int) -> None:
        super().__init__(f"a ticket has at most {participants_max} participants", field="person")


class NoSurveyIsOpen(Refused):
    """Nobody has asked what the customer thinks of this ticket's solution."""

    def __init__(self, number: int) -> None:
        super().__init__(f"nobody was asked what they think of ticket {number}")


class SurveyIsOver(Refused):
    """The time for an answer has passed."""

    def __init__(self, number: int, expired_at: datetime) -> None:
        super().__init__(
            f"what you think of ticket {number} could be said until {expired_at:%Y-%m-%d %H:%M} UTC"
        )


class RatedTooOften(Refused):
    """The answer was changed more often than anybody changes their mind."""

    def __init__(self, number: int, answers_max: int) -> None:
        super().__init__(f"ticket {number} was rated {answers_max} times already")
