"""Under which circumstances a command is given, and the stamp that its events carry because of them."""

from datetime import datetime
from uuid import UUID

import msgspec

from services.intake.domain.definitions import Definitions
from services.intake.domain.life_policy import NO_TERMS, Terms
from services.intake.domain.survey_policy import NO_SURVEY, SurveyTerms
from shared.events import Actor, Channel, Stamp


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, through what, because of what.

    Args:
        recorded_at: the moment of storing (aware UTC); the same for everything in one transaction.
        definitions: of custom fields and ticket types.
        terms: the life policy in force for the ticket.
        open_children: numbers of the ticket's children that are not solved, when it waits for them.
        survey: the survey policy in force for the ticket.
        leaves_by: the channel that carries what is written to the customer; None: it is only read here.
        notices_leave_by: the channel that carries what a rule tells people who work here; None: there is none.
    """

    actor: Actor
    via: Channel
    correlation_id: str
    recorded_at: datetime
    causation_id: str | None = None
    definitions: Definitions = Definitions()
    terms: Terms = NO_TERMS
    open_children: tuple[int, ...] = ()
    survey: SurveyTerms = NO_SURVEY
    leaves_by: str | None = None
    notices_leave_by: str | None = None

    @property
    def is_import(self) -> bool:
        """Whether history is told: what happened elsewhere is not refused because our rules would have."""
        return self.via is Channel.IMPORT


class TicketStamp(Stamp):
    """A stamp on an event of one ticket."""

    ticket_id: UUID


class Stamps:
    """Hands out the stamps of one ticket's next events, versions consecutive.

    Args:
        version: the version that the ticket has now; the first stamp is one higher.
        at: when it happened in the world (aware UTC).
    """

    __slots__ = ("_at", "_context", "_ticket_id", "_version")

    def __init__(self, ticket_id: UUID, version: int, context: Context, at: datetime) -> None:
        self._ticket_id = ticket_id
        self._version = version
        self._context = context
        self._at = at

    def next(self) -> TicketStamp:
        """The stamp of the next event."""
        self._version += 1
        context = self._context
        return {
            "ticket_id": self._ticket_id,
            "version": self._version,
            "occurred_at": self._at,
            "recorded_at": context.recorded_at,
            "actor": context.actor,
            "via": context.via,
            "correlation_id": context.correlation_id,
            "causation_id": context.causation_id,
        }
