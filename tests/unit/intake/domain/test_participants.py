"""Who takes part beside the requester, and who has been let in."""

from services.intake.domain.commands import AddParticipant, ParticipantRole, RemoveParticipant
from shared.events.tickets import Person
from tests.unit.intake.givens import a_ticket, when

DORA = Person(id="mailto:dora@example.org", name="Dora", email="dora@example.org")
FROM_OUTSIDE = AddParticipant(person=DORA, role=ParticipantRole.CC, is_trusted=False)
LET_IN = AddParticipant(person=DORA, role=ParticipantRole.CC)


def added(**said):
    return [("ParticipantAdded", {"person": DORA, "role": "cc", "is_trusted": True} | said)]


def test_who_writes_from_outside_takes_part_and_is_let_in_by_somebody_who_works_here():
    assert when(a_ticket(), FROM_OUTSIDE) == added(is_trusted=False)
    assert when(a_ticket(FROM_OUTSIDE), FROM_OUTSIDE) == []
    assert when(a_ticket(FROM_OUTSIDE), LET_IN) == added()


def test_who_was_let_in_stays_so_whatever_a_mail_says_later():
    assert when(a_ticket(LET_IN), FROM_OUTSIDE) == []
    follower = a_ticket(AddParticipant(person=DORA, role=ParticipantRole.FOLLOWER))
    assert when(follower, FROM_OUTSIDE) == added()


def test_who_was_removed_and_writes_again_is_outside_again():
    removed = a_ticket(LET_IN, RemoveParticipant(person_id=DORA.id))
    assert when(removed, FROM_OUTSIDE) == added(is_trusted=False)
