"""The ticket list: filters, search, order, columns and page stand in the address, as the API takes them."""

from datetime import datetime
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.responses import Response

from services.query.api.past import only_staff
from services.query.api.saved_views import counted_views
from services.query.api.tickets import ListQuery
from services.query.facets import FIELD
from services.query.past.instant import past_instant
from services.query.past.lists import tickets_at
from services.query.past.ticket import states_at
from services.query.views import lists
from services.query.views.fields import defined_fields
from services.query.views.highlights import highlights
from services.query.views.list_filter import TicketFilter
from services.query.views.lists import order_of
from services.query.views.pools import Pool
from services.query.views.scope import Scope
from services.query.web import columns
from services.query.web.columns import Column
from services.query.web.directory import Names
from services.query.web.entrance import page_router, wants_part
from services.query.web.rendering import page, parts_of
from services.query.web.state import directory_of
from services.query.web.words import CHANNEL, CUSTOMER_STATE, PRIORITY, STATUS
from shared.security import Principal, Role, require

router = page_router()

_SEVERAL: Final = frozenset(
    {"status", "customer_state", "group", "assignee", "priority", "channel", "tag", "columns"}
)
_PAGE: Final = frozenset({"cursor", "limit"})
_PAST: Final = frozenset({"cursor", "as_of"})
_SHOWN: Final = frozenset({"sort", "columns"})
"""How a list is shown, and not what is in it."""

_IN_THE_FORM: Final = frozenset(
    {
        "q",
        "status",
        "priority",
        "group",
        "assignee",
        "channel",
        "tag",
        "is_open",
        "at_risk",
        "breached",
    }
)
_SORTS: Final = [
    ("due", "due first"),
    ("-due", "due last"),
    ("-priority", "most urgent"),
    ("priority", "least urgent"),
    ("-created", "newest"),
    ("created", "oldest"),
    ("updated", "oldest change"),
]


@router.get("/tickets")
async def ticket_list(
    request: Request, principal: Annotated[Principal, Depends(require())]
) -> Response:
    """One page of tickets; scripts get the table alone."""
    asked, is_staff = _asked(request), not principal.is_customer
    query, shown = _query(asked), columns.chosen(asked.get("columns", []), is_staff=is_staff)
    parts, scope = parts_of(request), Scope.of(principal)
    pool = await parts.pool()
    wanted = query.filter(principal)
    names = await directory_of(request).names(pool)
    page_asked: dict[str, Any] = {
        "sort": order_of(query.sort),
        "limit": query.limit,
        "after": query.cursor,
    }
    past: dict[str, Any] = {"then": None}
    if query.as_of is not None:
        only_staff(principal)
        past = {"then": past_instant(query.as_of), "now_address": _address(asked, without=_PAST)}
        found, past["count"] = await _at(pool, wanted, past["then"], names, page_asked)
    else:
        found = await lists.list_tickets(pool, wanted, scope, **page_asked)
    searched = bool(wanted.q) and query.as_of is None
    hits = await highlights(pool, found.tickets, wanted.q or "", scope) if searched else {}
    quoted = [ticket_id for ticket_id, hit in hits.items() if hit["text"]]
    await parts.reads.note_of(request, principal, quoted)
    parts.reads.withhold(principal, found.tickets)
    content: dict[str, Any] = {
        **past,
        "asked": asked,
        "query": query,
        "columns": shown,
        "tickets": found.tickets,
        "hits": hits,
        "next": _address({**asked, "cursor": found.next}) if found.next else None,
        "first": _address(asked, without=_PAGE) if query.cursor else None,
        "orders": {column.name: _order(column, asked, query.sort) for column in shown},
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
        views=await _views(request, principal, asked) if is_staff else [],
        offered=columns.offered(await defined_fields(pool), shown, is_staff=is_staff),
        others=[
            (name, value, _address(asked, without=_PAGE | {name}))
            for name, value in asked.items()
            if name not in _IN_THE_FORM | _PAGE | _SHOWN and (is_staff or name != "customer_state")
        ],
        may_share=principal.may(Role.SUPERVISOR),
        choices={
            "status": list(STATUS.items()),
            "customer_state": list(CUSTOMER_STATE.items()),
            "priority": list(PRIORITY.items()),
            "channel": list(CHANNEL.items()),
            "sort": [*_SORTS, *_field_sorts(query.sort)],
            "group": [("mine", "my groups"), ("none", "no group"), *_pairs(names.groups)],
            "assignee": [("me", "me"), ("none", "nobody"), *_pairs(names.agents)],
        },
    )


async def _at(
    pool: Pool, wanted: TicketFilter, instant: datetime, names: Names, page_asked: dict[str, Any]
) -> tuple[lists.TicketPage, str]:
    """The page as it was, and in words how many tickets the list had."""
    found = await tickets_at(pool, wanted, instant, **page_asked)
    states = await states_at(pool, found.ids, instant)
    tickets = []
    for ticket in map(states.__getitem__, found.ids):
        group_id, agent_id = ticket["group_id"], ticket["assignee_id"]
        called = {
            "group_name": group_id and names.group(group_id),
            "assignee_name": agent_id and names.agent(agent_id),
        }
        tickets.append(ticket | called)
    count = f"{found.count_at_least:,} ticket{'' if found.count_at_least == 1 else 's'}"
    words = count if found.count is not None else f"at least {count}"
    return lists.TicketPage(tickets, found.next), words


@router.get("/tickets/views")
async def rail(
    request: Request, principal: Annotated[Principal, Depends(require(Role.AGENT))]
) -> Response:
    """The views beside the list, counted anew; the address is the list's."""
    views = await _views(request, principal, _asked(request))
    return page(request, "parts/views.html", principal, views=views)


async def _views(
    request: Request, principal: Principal, asked: dict[str, Any]
) -> list[dict[str, Any]]:
    here = _said({name: value for name, value in asked.items() if name not in _PAGE | _SHOWN})
    views = await counted_views(parts_of(request), principal)
    for view in views:
        wanted: dict[str, Any] = dict(view["filter"])
        view["is_shown"] = _said(wanted) == here
        if view["sort"]:
            wanted["sort"] = view["sort"]
        if view["columns"]:
            wanted["columns"] = list(view["columns"])
        view["address"] = _address(wanted)
    return views


def _field_sorts(current: str) -> list[tuple[str, str]]:
    """The order by a custom field, which the heads of its column offer, in words."""
    name = current.removeprefix("-")
    if not name.startswith(FIELD):
        return []
    words = name.removeprefix(FIELD).replace("_", " ")
    return [(current, f"{words}, {'descending' if current != name else 'ascending'}")]


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
    if "columns" in asked and _is_usual(asked["columns"]):
        del asked["columns"]
    return asked


def _is_usual(names: list[str]) -> bool:
    """The form always says its columns; the usual ones need not stand in the address."""
    always = {"number", "subject"}
    return {*names, *always} == {each.name for each in columns.usual(is_staff=True)}


def _query(asked: dict[str, Any]) -> ListQuery:
    try:
        return ListQuery.model_validate(
            {name: value for name, value in asked.items() if name != "columns"}
        )
    except ValidationError as error:
        # As FastAPI would have raised it had it read the parameters itself.
        raise RequestValidationError(
            [{**each, "loc": ("query", *each["loc"])} for each in error.errors(include_url=False)]
        ) from error


def _said(asked: dict[str, Any]) -> dict[str, str]:
    """Parameter → value, as an address says it."""
    return {
        name: ",".join(map(str, value)) if isinstance(value, list) else str(value)
        for name, value in asked.items()
        if value
    }


def _address(asked: dict[str, Any], *, without: frozenset[str] = frozenset()) -> str:
    kept = {name: value for name, value in asked.items() if name not in without}
    query = urlencode(_said(kept), safe=",")
    return f"/tickets?{query}" if query else "/tickets"


def _order(column: Column, asked: dict[str, Any], current: str) -> dict[str, str | None] | None:
    """What a press on the column's head asks for, and how the list stands in its order now."""
    if not column.orders:
        return None
    first, second = column.orders
    state = None
    if current in column.orders:
        state = "descending" if current.startswith("-") else "ascending"
    wanted = second if current == first else first
    return {"address": _address({**asked, "sort": wanted}, without=_PAGE), "state": state}
