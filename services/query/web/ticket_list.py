"""The ticket list: filters, search, order and page stand in the address, as the API takes them."""

from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.responses import Response

from services.query.api.tickets import ListQuery
from services.query.facets import FIELD
from services.query.views import lists
from services.query.views.lists import Order, Sort, order_of
from services.query.views.scope import Scope
from services.query.web.entrance import page_router, wants_part
from services.query.web.rendering import page, parts_of
from services.query.web.state import directory_of
from services.query.web.words import CHANNEL, CUSTOMER_STATE, PRIORITY, STATUS
from shared.security import Principal, require

router = page_router()

_SEVERAL: Final = frozenset(
    {"status", "customer_state", "group", "assignee", "priority", "channel", "tag"}
)
_PAGE: Final = frozenset({"cursor", "limit"})

# Column → orders it offers, the first one at the first press.
_ORDERS: Final = {
    "created": (Sort.CREATED_DESC, Sort.CREATED),
    "priority": (Sort.PRIORITY_DESC, Sort.PRIORITY),
    "updated": (Sort.UPDATED_DESC, Sort.UPDATED),
    "due": (Sort.DUE, Sort.DUE_DESC),
}
_SORTS: Final = [
    ("due", "due first"),
    ("-due", "due last"),
    ("-priority", "most urgent"),
    ("priority", "least urgent"),
    ("-created", "newest"),
    ("created", "oldest"),
    ("updated", "oldest change"),
]
_VIEWS: Final = (
    ("Mine", "assignee=me&is_open=true&sort=due"),
    ("Unassigned", "assignee=none&is_open=true&sort=due"),
    ("At risk", "at_risk=true&is_open=true&sort=due"),
    ("Breached", "breached=true&is_open=true&sort=due"),
    ("All open", "is_open=true"),
    ("Everything", ""),
)


@router.get("/tickets")
async def ticket_list(
    request: Request, principal: Annotated[Principal, Depends(require())]
) -> Response:
    """One page of tickets; scripts get the table alone."""
    asked = _asked(request)
    query = _query(asked)
    order = order_of(query.sort)
    parts, scope = parts_of(request), Scope.of(principal)
    pool = await parts.pool()
    found = await lists.list_tickets(
        pool,
        query.filter(principal),
        scope,
        sort=order,
        limit=query.limit,
        after=query.cursor,
    )
    names = await directory_of(request).names(pool)
    content: dict[str, Any] = {
        "asked": asked,
        "query": query,
        "tickets": found.tickets,
        "next": _address({**asked, "cursor": found.next}) if found.next else None,
        "first": _address(asked, without=_PAGE) if query.cursor else None,
        "orders": _orders(asked, order),
        "names": names,
    }
    if wants_part(request):
        answer = page(request, "parts/list.html", principal, **content)
        answer.headers["HX-Push-Url"] = _address(asked)
        return answer
    return page(
        request,
        "tickets.html",
        principal,
        **content,
        views=[
            (name, f"/tickets{'?' + view if view else ''}", _is_shown(view, asked))
            for name, view in _VIEWS
        ],
        choices={
            "status": list(STATUS.items()),
            "customer_state": list(CUSTOMER_STATE.items()),
            "priority": list(PRIORITY.items()),
            "channel": list(CHANNEL.items()),
            "sort": _SORTS,
            "group": [("none", "no group"), *_pairs(names.groups)],
            "assignee": [("me", "me"), ("none", "nobody"), *_pairs(names.agents)],
        },
    )


def _pairs(rows: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(row["id"], row["name"]) for row in rows]


def _asked(request: Request) -> dict[str, Any]:
    """The parameters without the empty ones that forms send along."""
    asked: dict[str, Any] = {}
    for name, value in request.query_params.multi_items():
        if not value:
            continue
        if name in _SEVERAL or name.startswith(FIELD):
            asked.setdefault(name, []).extend(part for part in value.split(",") if part)
        else:
            asked[name] = value
    return asked


def _query(asked: dict[str, Any]) -> ListQuery:
    try:
        return ListQuery.model_validate(asked)
    except ValidationError as error:
        # As FastAPI would have raised it had it read the parameters itself.
        raise RequestValidationError(
            [{**each, "loc": ("query", *each["loc"])} for each in error.errors(include_url=False)]
        ) from error


def _address(asked: dict[str, Any], *, without: frozenset[str] = frozenset()) -> str:
    query = urlencode(
        [
            (name, ",".join(map(str, value)) if isinstance(value, list) else str(value))
            for name, value in asked.items()
            if name not in without and value
        ],
        safe=",",
    )
    return f"/tickets?{query}" if query else "/tickets"


def _orders(asked: dict[str, Any], current: Order) -> dict[str, dict[str, str | None]]:
    orders: dict[str, dict[str, str | None]] = {}
    for column, (first, second) in _ORDERS.items():
        wanted = second if current is first else first
        state = None
        if current is first or current is second:
            state = "descending" if current.is_descending else "ascending"
        address = _address({**asked, "sort": wanted.value}, without=_PAGE)
        orders[column] = {"address": address, "state": state}
    return orders


def _is_shown(view: str, asked: dict[str, Any]) -> bool:
    """Whether the filters are those of the view; the order is the reader's business."""
    here = _address(asked, without=_PAGE | {"sort"}).partition("?")[2]
    wanted = [part for part in view.split("&") if not part.startswith("sort=")]
    return sorted(here.split("&")) == sorted(wanted)
