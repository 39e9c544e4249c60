"""What the rules of a ticket refuse, each named as the fact that is in the way."""

from uuid import UUID

from shared.errors import Refused
from shared.events import StatusCategory


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
