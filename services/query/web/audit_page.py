"""The audit browser: who did what, from where, because of what; filters and page stand in the address."""

from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.responses import Response

from services.query.api.audit import AuditQuery, audited
from services.query.own_log import TYPES
from services.query.web.entrance import page_router, wants_part
from services.query.web.rendering import page, parts_of
from shared.events import known_types
from shared.security import Principal, Role, require

router = page_router()

FIELDS: Final = (
    "status", "priority", "group", "assignee", "subject", "type", "tags", "label", "requester", "sla_policy",
    "presence", "rules", "capacity", "groups", "skills",
)  # fmt: skip
"""Offered as suggestions; any field can be asked for."""

_PAGE: Final = frozenset({"cursor"})


@router.get("/audit")
async def audit_page(
    request: Request, principal: Annotated[Principal, Depends(require(Role.SUPERVISOR))]
) -> Response:
    """One page of the audit; scripts get the table alone."""
    asked = {name: value for name, value in request.query_params.items() if value}
    query = _query(asked)
    parts = parts_of(request)
    found = await audited(parts, request, principal, query)
    content: dict[str, Any] = {
        "asked": asked,
        "query": query,
        "events": found["events"],
        "next": _address({**asked, "cursor": found["next"]}) if found["next"] else None,
        "first": _address(asked, without=_PAGE) if query.cursor else None,
        "link": lambda **more: _address({**more}),
    }
    if wants_part(request):
        return page(request, "parts/audit.html", principal, **content)
    return page(
        request,
        "audit.html",
        principal,
        **content,
        fields=FIELDS,
        types=sorted([*known_types(), *TYPES]),
    )


def _query(asked: dict[str, Any]) -> AuditQuery:
    # `datetime-local` has no offset: what is typed without one is meant in UTC, as the labels say.
    values = {
        name: f"{value}Z" if name in {"from", "to"} and _lacks_offset(value) else value
        for name, value in asked.items()
    }
    try:
        return AuditQuery.model_validate(values)
    except ValidationError as error:
        raise RequestValidationError(
            [{**each, "loc": ("query", *each["loc"])} for each in error.errors(include_url=False)]
        ) from error


def _lacks_offset(value: str) -> bool:
    return "T" in value and not value.endswith(("Z", "z")) and not {"+", "-"} & set(value[11:])


def _address(asked: dict[str, Any], *, without: frozenset[str] = frozenset()) -> str:
    query = urlencode([(name, str(value)) for name, value in asked.items() if name not in without])
    return f"/audit?{query}" if query else "/audit"
