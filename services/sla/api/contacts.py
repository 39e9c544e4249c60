"""`/v1/oncall/contacts`: how the people whom alerts call are reached."""

import msgspec
from fastapi import APIRouter, Depends, Request, Response

from services.sla.oncall.contact_desk import ContactDesk
from services.sla.oncall.contacts import Contact, NewContact
from shared.http.bodies import json_answer, read_json
from shared.http.conditional import ExpectedVersion, etag
from shared.http.openapi import openapi_body
from shared.http.origin import RequestOrigin
from shared.security import Role, require

_NO_CONTENT = 204


class Contacts(msgspec.Struct):
    """By target."""

    items: list[Contact]


def router(desk: ContactDesk) -> APIRouter:
    """The routes. Agents see and change their own entry, supervisors all."""
    routes = APIRouter(
        prefix="/v1/oncall/contacts", tags=["oncall"], dependencies=[Depends(require(Role.AGENT))]
    )

    @routes.get(
        "",
        summary="How everybody is reached.",
        dependencies=[Depends(require(Role.SUPERVISOR))],
        openapi_extra=openapi_body(answer=Contacts),
    )
    async def list_contacts() -> Response:
        return json_answer(Contacts(await desk.everybody()))

    @routes.get(
        "/{target}",
        summary="How one is reached: `agent:<id>`, `lead:<group>`, `group:<id>` or `role:<name>`.",
        openapi_extra=openapi_body(answer=Contact),
    )
    async def get_contact(target: str, origin: RequestOrigin) -> Response:
        return _answer(await desk.find(target, origin=origin))

    @routes.put(
        "/{target}",
        summary="Say how one is reached, or which agents are meant.",
        openapi_extra=openapi_body(NewContact, answer=Contact),
    )
    async def put_contact(
        target: str, request: Request, origin: RequestOrigin, expected: ExpectedVersion
    ) -> Response:
        wanted = await read_json(request, NewContact)
        return _answer(await desk.define(target, wanted, origin=origin, expected=expected))

    @routes.delete("/{target}", status_code=_NO_CONTENT, summary="Forget the addresses, for good.")
    async def forget_contact(target: str, origin: RequestOrigin) -> Response:
        await desk.forget(target, origin=origin)
        return Response(status_code=_NO_CONTENT)

    return routes


def _answer(contact: Contact) -> Response:
    return json_answer(contact, headers={"etag": etag(contact.version)})
