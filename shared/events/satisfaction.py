"""Events of intake about what customers think of a solution. They move no status and no clock."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from shared.events.of_tickets import OfTicket


class Score(StrEnum):
    """What a customer says of a solution."""

    GOOD = "good"
    BAD = "bad"


class SatisfactionOffered(
    OfTicket, frozen=True, kw_only=True, tag="ticket.satisfaction_offered.v1"
):
    """The requester is asked what they think of a solution: once for each time that the ticket was solved.

    Attributes:
        survey_id: of the question; its answers name it.
        resolution_count: which solution is meant.
        expires_at: until when it may be answered.
        leaves_by: the channel that brings it (`email`, `messenger`, `chat`); none: the ticket's page and the API ask.
        group_id, agent_id: who had the ticket, as far as intake has heard; they are who is judged.
        policy_group, policy_version: the survey policy that asks (`*`: that of all other groups).
    """

    survey_id: UUID
    resolution_count: int
    expires_at: datetime
    leaves_by: str | None = None
    group_id: str | None = None
    agent_id: str | None = None
    policy_group: str | None = None
    policy_version: int | None = None


class SatisfactionRated(OfTicket, frozen=True, kw_only=True, tag="ticket.satisfaction_rated.v1"):
    """The customer answered, or changed the answer; what was said before stays told by the event before.

    Attributes:
        survey_id: the question.
        resolution_count: which solution is meant.
        score: good or bad.
        comment: in the customer's words. `reason`: one of those that the survey policy offers.
        previous_score, previous_comment, previous_reason: the answer before; none: it is the first one.
    """

    survey_id: UUID
    resolution_count: int
    score: Score
    comment: str | None = None
    reason: str | None = None
    previous_score: Score | None = None
    previous_comment: str | None = None
    previous_reason: str | None = None
