"""`/v1/contacts`, `/v1/organizations`: who the customers are. For people who work here."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from services.query.api.answers import Text, answer
from services.query.parts import Parts
from services.query.views import contacts
from shared.errors import Invalid
from shared.security import Principal, Role, require

Agent = Annotated[Principal, Depends(require(Role.AGENT))]


class ContactsQuery(BaseModel):
    """`q`: beginnings of names, addresses, numbers. `requester`: whoever has this id."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    q: Text | None = None
    organization: Text | None = None
    limit: Annotated[int, Field(ge=1, le=contacts.LISTED_MAX)] = 50


def make_router(parts: Parts) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["contacts"])

    @router.get("/contacts", summary="Known persons by name or address.")
    async def listed(_: Agent, query: Annotated[ContactsQuery, Query()]) -> Response:
        found = await contacts.find_contacts(
            await parts.pool(), query.q, organization=query.organization, limit=query.limit
        )
        return answer(parts, {"contacts": found})

    @router.get(
        "/contacts/behind",
        summary="Who is behind a requester's id, with the tickets of all their addresses.",
    )
    async def behind(_: Agent, requester: Annotated[Text, Query()]) -> Response:
        return answer(parts, await contacts.person_behind(await parts.pool(), requester))

    @router.get("/contacts/{contact_id}", summary="One person with recent tickets.")
    async def one(contact_id: str, _: Agent) -> Response:
        found = await contacts.find_contact(await parts.pool(), parse_contact_id(contact_id))
        return answer(parts, found, version=found["version"])

    @router.get("/organizations", summary="Organisations.")
    async def organizations(_: Agent) -> Response:
        found = await contacts.find_organizations(await parts.pool())
        return answer(parts, {"organizations": found})

    return router


def parse_contact_id(text: str) -> UUID:
    """Raises Invalid: it is none."""
    try:
        return UUID(text)
    except ValueError:
        raise Invalid.of("path contact_id", "expected a UUID") from None
