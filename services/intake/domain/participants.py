"""Who takes part in a ticket beside its requester."""

from typing import assert_never

from services.intake.domain import limits
from services.intake.domain.commands import AddParticipant, RemoveParticipant
from services.intake.domain.context import Stamps
from services.intake.domain.parts import Participant
from services.intake.domain.refusals import TooManyParticipants
from services.intake.domain.standing import refuse_closed
from services.intake.domain.ticket import Ticket
from shared.events.tickets import ParticipantAdded, ParticipantRemoved, TicketEvent


def decide(
    ticket: Ticket, command: AddParticipant | RemoveParticipant, stamps: Stamps
) -> list[TicketEvent]:
    """The change, or nothing when it is so already.

    Raises:
        TicketIsMerged, TicketIsClosed: it has ended for good.
        TooManyParticipants: see there.
    """
    refuse_closed(ticket)
    match command:
        case AddParticipant(person=person, role=role):
            before = ticket.participant(person.id)
            if before is None and len(ticket.participants) >= limits.PARTICIPANTS_MAX:
                raise TooManyParticipants(limits.PARTICIPANTS_MAX)
            # Who was let in stays so, whatever a mail says later; who was not can be let in.
            is_trusted = command.is_trusted or (before is not None and before.is_trusted)
            if before == Participant(person.id, role.value, is_trusted):
                return []
            return [
                ParticipantAdded(
                    **stamps.next(), person=person, role=role.value, is_trusted=is_trusted
                )
            ]
        case RemoveParticipant(person_id=person_id):
            found = ticket.participant(person_id)
            if found is None:
                return []
            return [ParticipantRemoved(**stamps.next(), person_id=person_id, role=found.role)]
        case _:
            assert_never(command)
