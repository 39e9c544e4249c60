"""Agents over HTTP: what they are, whether they are there."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Request, Response

from services.routing.api.answers import Staff, answer, cause_of, self_or_supervisor
from services.routing.app.asking import AgentView
from services.routing.app.routing import Routing
from services.routing.domain.agent import ABSENT
from shared.errors import Invalid
from shared.events.agents import AgentProfile, Presence
from shared.http.bodies import json_answer, read_json
from shared.http.changes import Change
from shared.http.conditional import etag
from shared.http.idempotency import OptionalKey
from shared.http.openapi import openapi_body
from shared.http.origin import RequestOrigin
from shared.security import Principal, Role, require

Supervisor = Annotated[Principal, Depends(require(Role.SUPERVISOR))]


class AgentBody(AgentProfile, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An agent as it shall be from now on; `presence` is changed only when it is given (a new agent is offline)."""

    presence: Presence | None = None

    def profile(self) -> AgentProfile:
        """The part that is the agent's profile."""
        return AgentProfile(
            **{name: getattr(self, name) for name in AgentProfile.__struct_fields__}
        )


class PresenceBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the agent says to be. `reassign`: with `away` or `offline`, unanswered tickets go back at once."""

    presence: Presence
    reassign: bool = False


class AgentsView(msgspec.Struct, frozen=True):
    """All agents, in order of joining."""

    agents: list[AgentView]


def router(routing: Routing) -> APIRouter:
    """Addresses under `/v1/agents`."""
    api = APIRouter(prefix="/v1/agents", tags=["agents"])

    @api.get(
        "",
        summary="All agents with presence and load.",
        openapi_extra=openapi_body(answer=AgentsView),
    )
    async def list_agents(_: Staff) -> Response:
        return json_answer(AgentsView(await routing.reading.agents()))

    @api.get("/{agent_id}", summary="One agent.", openapi_extra=openapi_body(answer=AgentView))
    async def get_agent(agent_id: str, _: Staff) -> Response:
        agent = await routing.reading.agent(agent_id)
        return json_answer(agent, headers={"ETag": etag(agent.version)})

    @api.put(
        "/{agent_id}",
        summary="Add or change an agent.",
        openapi_extra=openapi_body(AgentBody, answer=AgentView),
    )
    async def define_agent(
        agent_id: str,
        _: Supervisor,
        change: Change,
    ) -> Response:
        body = await change.read(AgentBody)
        outcome = await routing.command(
            lambda tx: routing.asking.define_agent(
                tx,
                agent_id,
                body.profile(),
                body.presence,
                cause_of(change.origin),
                change.expected,
            ),
            await change.claim(),
        )
        return answer(outcome)

    @api.post(
        "/{agent_id}/presence",
        summary="Come, go, or be busy.",
        openapi_extra=openapi_body(PresenceBody, answer=AgentView),
    )
    async def choose_presence(
        agent_id: str, request: Request, _: Staff, origin: RequestOrigin, key: OptionalKey
    ) -> Response:
        self_or_supervisor(origin, agent_id)
        body = await read_json(request, PresenceBody)
        if body.reassign and body.presence not in ABSENT:
            raise Invalid.of("reassign", "only with away or offline")
        await routing.renew_lease(agent_id)
        outcome = await routing.command(
            lambda tx: routing.asking.choose_presence(
                tx, agent_id, body.presence, cause_of(origin), reassign=body.reassign
            ),
            key.claim(await request.body()) if key else None,
        )
        return answer(outcome)

    @api.post(
        "/{agent_id}/heartbeat",
        summary="A sign of life, every 30 s; from the first one on, silence means offline.",
        openapi_extra=openapi_body(answer=AgentView),
    )
    async def heartbeat(agent_id: str, _: Staff, origin: RequestOrigin) -> Response:
        self_or_supervisor(origin, agent_id)
        return json_answer(await routing.heartbeat(agent_id, cause_of(origin)))

    return api
