"""What the customer thinks of a solution: the question, asked once for each, and the answer, which may be changed."""

from datetime import datetime, timedelta

from services.intake.domain import limits
from services.intake.domain.commands import OfferSurvey, RateSatisfaction
from services.intake.domain.context import Context, Stamps
from services.intake.domain.parts import Survey
from services.intake.domain.refusals import NoSurveyIsOpen, RatedTooOften, SurveyIsOver
from services.intake.domain.status import ENDED
from services.intake.domain.ticket import Ticket
from shared.errors import Invalid
from shared.events.satisfaction import SatisfactionOffered, SatisfactionRated
from shared.events.tickets import TicketEvent
from shared.identifiers import derived_id

SatisfactionCommand = OfferSurvey | RateSatisfaction


def decide(
    ticket: Ticket,
    command: SatisfactionCommand,
    stamps: Stamps,
    at: datetime,
    context: Context,
) -> list[TicketEvent]:
    """The question or the answer; nothing when the ticket has moved on, or the same is said again.

    Raises:
        Refused: nobody asked, or the time is over.
        Invalid: the reason is none of those that are offered.
    """
    match command:
        case OfferSurvey():
            return _offer(ticket, command, stamps, at, context)
        case RateSatisfaction():
            return _rate(ticket, command, stamps, at, context)


def _offer(
    ticket: Ticket, command: OfferSurvey, stamps: Stamps, at: datetime, context: Context
) -> list[TicketEvent]:
    """Once a solution: `survey_at` goes with the first offer, and the policy may have been switched off meanwhile."""
    if ticket.survey_at != command.survey_at or ticket.category not in ENDED:
        return []
    terms = context.survey
    if not terms.policy.asks_about(ticket):
        return []
    return [
        SatisfactionOffered(
            **stamps.next(),
            survey_id=derived_id("survey", ticket.id, ticket.resolution_count),
            resolution_count=ticket.resolution_count,
            expires_at=at + timedelta(days=terms.policy.answer_days),
            leaves_by=command.leaves_by,
            group_id=command.group_id,
            agent_id=command.agent_id,
            policy_group=terms.group,
            policy_version=terms.version,
        )
    ]


def _rate(
    ticket: Ticket, command: RateSatisfaction, stamps: Stamps, at: datetime, context: Context
) -> list[TicketEvent]:
    survey = ticket.survey(command.survey_id)
    if survey is None:
        raise NoSurveyIsOpen(ticket.number)
    said = (command.score, command.comment, command.reason)
    if said == (survey.score, survey.comment, survey.reason):
        return []
    if at > survey.expires_at:
        raise SurveyIsOver(ticket.number, survey.expires_at)
    if survey.answers_count >= limits.SURVEY_ANSWERS_MAX:
        raise RatedTooOften(ticket.number, limits.SURVEY_ANSWERS_MAX)
    _check_reason(survey, command.reason, context)
    return [
        SatisfactionRated(
            **stamps.next(),
            survey_id=survey.id,
            resolution_count=survey.resolution_count,
            score=command.score,
            comment=command.comment,
            reason=command.reason,
            previous_score=survey.score,
            previous_comment=survey.comment,
            previous_reason=survey.reason,
        )
    ]


def _check_reason(survey: Survey, reason: str | None, context: Context) -> None:
    """One that was offered when they were asked for the first answer stays sayable after the policy was edited."""
    offered = context.survey.policy.reasons
    if reason is not None and reason != survey.reason and reason not in offered:
        known = ", ".join(offered) or "none are asked for"
        raise Invalid.of("reason", f"is none of those that are offered ({known})")
