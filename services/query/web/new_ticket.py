"""Opening a ticket: an agent for a customer or among colleagues, a customer for themselves."""

from typing import Annotated, Any

from fastapi import Depends, Query, Request
from starlette.responses import Response

from services.query.views.definitions import Definitions, Named
from services.query.web import fields
from services.query.web.entrance import page_router, wants_part
from services.query.web.rendering import page, parts_of
from services.query.web.state import directory_of
from services.query.web.words import PRIORITY
from shared.errors import Invalid
from shared.security import Principal, require

router = page_router()

Chosen = Annotated[str, Query(max_length=100)]
"""A list where nothing is chosen sends the empty text."""


@router.get("/tickets/new")
async def new_ticket(
    request: Request,
    principal: Annotated[Principal, Depends(require())],
    form: Chosen = "",
    ticket_type: Chosen = "",
    requester: Annotated[str, Query(max_length=320)] = "",
) -> Response:
    """The page; scripts get what a form of the service catalogue or a type asks for. `requester`: filled in already.

    Raises:
        Invalid: there is no such form, or not for this caller.
    """
    pool = await parts_of(request).pool()
    definitions = await directory_of(request).definitions(pool)
    forms, types = _offered(definitions, principal)
    if form and form not in forms:
        raise Invalid.of("query form", "there is no such form")
    asked = fields.of_opening(definitions, ticket_type or None, form or None)
    content: dict[str, Any] = {
        "form": {"name": form, **forms[form]} if form else None,
        "forms": forms,
        "types": types,
        "ticket_type": ticket_type,
        "asked": fields.customers_own(definitions, asked) if principal.is_customer else asked,
    }
    if wants_part(request):
        return page(request, "parts/asked.html", principal, **content)
    return page(
        request, "new_ticket.html", principal, **content, requester=requester, priorities=PRIORITY
    )


def _offered(definitions: Definitions, principal: Principal) -> tuple[Named, Named]:
    """The forms and types that the caller may use."""
    is_customer = principal.is_customer
    forms = {
        name: form
        for name, form in definitions.forms.items()
        if form.get("is_active", True) and (form.get("is_public", True) or not is_customer)
    }
    types = {
        name: one
        for name, one in definitions.types.items()
        if one.get("visible_to_customer", True) or not is_customer
    }
    return forms, types
