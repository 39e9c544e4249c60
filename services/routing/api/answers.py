"""What all handlers of routing share: who asks, and how an outcome is answered."""

from typing import Any

from fastapi import Response

from services.routing.domain.cause import Cause
from shared.errors import Forbidden
from shared.eventstore import Outcome
from shared.http.bodies import json_answer
from shared.http.conditional import etag
from shared.http.origin import Origin
from shared.security import Role


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
