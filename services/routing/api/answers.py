"""What all handlers of routing share: who asks, and how an outcome is answered."""

from typing import Annotated, Any, TypeVar
from uuid import UUID

from fastapi import Depends, Request, Response

from services.routing.app.asking import Act
from services.routing.app.routing import Routing
from services.routing.domain.cause import Cause
from shared.errors import Forbidden
from shared.eventstore import Outcome
from shared.http.bodies import json_answer, read_json
from shared.http.conditional import ExpectedVersion, etag
from shared.http.idempotency import OptionalKey
from shared.http.origin import Origin, RequestOrigin
from shared.security import Principal, Role, require

Staff = Annotated[Principal, Depends(require(Role.AGENT))]

B = TypeVar("B")


def cause_of(origin: Origin) -> Cause:
    """The origin of a request as decisions name it."""
    return Cause(origin.actor, origin.via, origin.correlation_id)


def answer(outcome: Outcome[Any], *, status: int = 200) -> Response:
    """The outcome of a command, with the version as ETag; says when it is the first answer again."""
    result = outcome.result
    version = (
        result.get("version") if isinstance(result, dict) else getattr(result, "version", None)
    )
    headers = {} if version is None else {"ETag": etag(version)}
    if outcome.replayed:
        headers["Idempotency-Replayed"] = "true"
    return json_answer(result, status=status, headers=headers)


def self_or_supervisor(origin: Origin, agent_id: str) -> None:
    """Agents speak for themselves; supervisors, admins and machines for anybody.

    Raises:
        Forbidden: an agent speaks for another.
    """
    if origin.principal.id != agent_id and not origin.principal.may(Role.SUPERVISOR):
        raise Forbidden("Only a supervisor may speak for another agent.", field="agent_id")


class _TicketCommand:
    """A request to do something to a ticket.

    Attributes:
        cause: who asks. `expected`: the version of the assignment that was seen; None when it does not matter.
    """

    def __init__(
        self,
        request: Request,
        _: Staff,
        origin: RequestOrigin,
        expected: ExpectedVersion,
        key: OptionalKey,
    ) -> None:
        self.cause = cause_of(origin)
        self.expected = expected
        self._request = request
        self._origin = origin
        self._key = key

    async def body(self, shape: type[B], *, missing: B | None = None) -> B:
        """What was sent; `missing` when nothing was, which otherwise is refused."""
        if missing is not None and not await self._request.body():
            return missing
        return await read_json(self._request, shape)

    def agent(self, agent_id: str | None) -> str:
        """For whom: the agent named, else the caller.

        Raises:
            Forbidden: an agent speaks for another.
        """
        named = agent_id or self._origin.principal.id
        self_or_supervisor(self._origin, named)
        return named

    async def run(self, routing: Routing, ticket_id: UUID, act: Act) -> Response:
        """Do it once, whatever is sent again under the same key, and answer."""
        claim = self._key.claim(await self._request.body()) if self._key else None
        return answer(await routing.act(ticket_id, self.cause, act, claim))


TicketCommand = Annotated[_TicketCommand, Depends(_TicketCommand)]
"""For handlers of `/v1/tickets/{ticket_id}/...`."""
