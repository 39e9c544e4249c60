"""Contacts: search, one person with all addresses and tickets, and the commands that change them."""

from typing import Annotated

from fastapi import Depends, Query, Request
from starlette.responses import Response

from services.query.api.contacts import ContactsQuery, parse_contact_id
from services.query.views.contacts import (
    find_contact,
    find_contacts,
    find_organizations,
    wait_for_contact,
)
from services.query.web.entrance import page_router
from services.query.web.rendering import page, parts_of
from shared.security import Principal, Role, require

router = page_router()

Staff = Annotated[Principal, Depends(require(Role.AGENT))]


@router.get("/contacts")
async def contacts(
    request: Request, principal: Staff, query: Annotated[ContactsQuery, Query()]
) -> Response:
    """Persons by name or address."""
    pool = await parts_of(request).pool()
    found = await find_contacts(pool, query.q, organization=query.organization, limit=query.limit)
    return page(request, "contacts.html", principal, found=found, query=query)


@router.get("/contacts/{contact_id}")
async def contact(
    contact_id: str,
    request: Request,
    principal: Staff,
    min_version: Annotated[int | None, Query(ge=1, le=2**53)] = None,
) -> Response:
    """One person; `min_version` waits, bounded, for what was just written."""
    pool, which = await parts_of(request).pool(), parse_contact_id(contact_id)
    if min_version is not None:
        seconds_max = parts_of(request).settings.min_version_seconds_max
        await wait_for_contact(pool, which, min_version, seconds_max=seconds_max)
    return page(
        request,
        "contact.html",
        principal,
        person=await find_contact(pool, which),
        organizations=await find_organizations(pool),
    )
