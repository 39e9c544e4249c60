"""The address at which a customer says what they think of a solution, with a token; the link of a mail needs none."""

from fastapi import APIRouter, Request, Response

from services.intake.api import bodies
from services.intake.api.commands import answer, documents, read, uuid_of
from services.intake.app import Intake
from services.intake.domain.commands import RateSatisfaction
from shared.clock import Clock
from shared.errors import Forbidden
from shared.events import ActorKind
from shared.security import authenticate


def add_satisfaction(router: APIRouter, intake: Intake, clock: Clock) -> None:
    """Customers answer; nobody who works here answers for them."""

    @router.post("/{ticket_id}/satisfaction", openapi_extra=documents(bodies.Satisfaction))
    async def rate(ticket_id: str, request: Request) -> Response:
        """Say whether the help was good or bad, or change what was said; the newest question is meant."""
        principal = await authenticate(request)
        body, asking = await read(request, bodies.Satisfaction, principal, clock)
        if asking.actor.kind is not ActorKind.CUSTOMER:
            raise Forbidden("Only the customer says what they think of a solution.")
        command = RateSatisfaction(score=body.score, comment=body.comment, reason=body.reason)
        return answer(await intake.change(uuid_of(ticket_id), command, asking))
