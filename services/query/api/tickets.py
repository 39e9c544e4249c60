"""`/v1/tickets`: the list, one ticket, its timeline."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from services.query.api import past
from services.query.api.answers import Several, Text, answer
from services.query.facets import FIELD
from services.query.parts import Parts
from services.query.past.instant import past_instant
from services.query.views import lists, pauses, timeline
from services.query.views.customer_state import CustomerState
from services.query.views.fields import FieldWish
from services.query.views.list_filter import TicketFilter
from services.query.views.lists import order_of
from services.query.views.scope import Scope
from services.query.views.search_words import narrowed
from services.query.views.ticket import conversation, find_ticket, parse_reference
from shared.events import Channel, Priority, StatusCategory
from shared.security import Principal, Role, require

_STRICT = ConfigDict(extra="forbid", frozen=True)
_VALUES_MAX = 50

FIELDS_MAX = 10
"""Custom fields of one filter; each is another look into an index."""

Anybody = Annotated[Principal, Depends(require())]
Agent = Annotated[Principal, Depends(require(Role.AGENT))]


class ListQuery(BaseModel):
    """Parameters of the list. Those with several values take them repeated or separated by commas.

    `field.NAME`: values of a custom field, or a range of numbers or dates (`10..20`, `2026-01-01..`).
    """

    model_config = _STRICT

    status: Annotated[list[StatusCategory], Several, Field(max_length=_VALUES_MAX)] = []
    customer_state: Annotated[list[CustomerState], Several, Field(max_length=_VALUES_MAX)] = []
    group: Annotated[list[Text], Several, Field(max_length=_VALUES_MAX)] = []
    assignee: Annotated[list[Text], Several, Field(max_length=_VALUES_MAX)] = []
    priority: Annotated[list[Priority], Several, Field(max_length=_VALUES_MAX)] = []
    channel: Annotated[list[Channel], Several, Field(max_length=_VALUES_MAX)] = []
    tag: Annotated[list[Text], Several, Field(max_length=_VALUES_MAX)] = []
    requester: Text | None = None
    external_id: Text | None = None
    is_open: bool | None = None
    breached: bool | None = None
    at_risk: bool | None = None
    q: Text | None = None
    fields: Annotated[dict[Text, Annotated[list[Text], Several]], Field(max_length=FIELDS_MAX)] = {}
    sort: Text = "-updated"
    limit: Annotated[int, Field(ge=1, le=lists.LIMIT_MAX)] = 50
    cursor: Text | None = None
    as_of: AwareDatetime | None = None

    @model_validator(mode="before")
    @classmethod
    def _gather_fields(cls, given: Any) -> Any:
        """Parameters `field.NAME` are one dictionary; it cannot be given under its own name."""
        if not isinstance(given, dict):
            return given
        fields = {
            name.removeprefix(FIELD): value if isinstance(value, list) else [value]
            for name, value in given.items()
            if name.startswith(FIELD)
        }
        rest = {name: value for name, value in given.items() if not name.startswith(FIELD)}
        return {**rest, "fields": fields} if fields else rest

    def filter(self, principal: Principal) -> TicketFilter:
        """The same for the view; assignee `me` is the caller, operators in `q` narrow it."""
        assignees = (principal.id if value == "me" else value for value in self.assignee)
        wanted = TicketFilter(
            status=tuple(self.status),
            customer_state=tuple(self.customer_state),
            group=tuple(self.group),
            assignee=tuple(assignees),
            priority=tuple(self.priority),
            channel=tuple(self.channel),
            tag=tuple(self.tag),
            fields=tuple(FieldWish(name, tuple(wanted)) for name, wanted in self.fields.items()),
            requester=self.requester,
            external_id=self.external_id,
            is_open=self.is_open,
            breached=self.breached,
            at_risk=self.at_risk,
            q=self.q,
        )
        return narrowed(wanted, caller=principal.id)


class SearchQuery(ListQuery):
    """As the list, with words to search for."""

    q: Text


class TicketQuery(BaseModel):
    """`min_version`: do not answer before the projection has this version of the ticket.

    `as_of`: the ticket as it was at that instant (staff only).
    """

    model_config = _STRICT

    min_version: Annotated[int, Field(ge=1, le=2**53)] | None = None
    as_of: AwareDatetime | None = None


class TimelineQuery(BaseModel):
    """A page of the timeline; `as_of`: only what had happened by then."""

    model_config = _STRICT

    as_of: AwareDatetime | None = None

    limit: Annotated[int, Field(ge=1, le=timeline.LIMIT_MAX)] = timeline.LIMIT_MAX
    cursor: Text | None = None


def make_router(parts: Parts) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["tickets"])

    async def listed(principal: Principal, query: ListQuery) -> Response:
        if query.as_of is not None:
            past.only_staff(principal)
            return await past.list_answer(
                parts,
                query.filter(principal),
                query.as_of,
                sort=order_of(query.sort),
                limit=query.limit,
                after=query.cursor,
            )
        page = await lists.list_tickets(
            await parts.pool(),
            query.filter(principal),
            Scope.of(principal),
            sort=order_of(query.sort),
            limit=query.limit,
            after=query.cursor,
        )
        return answer(parts, {"tickets": page.tickets, "next": page.next})

    @router.get("/tickets", summary="The ticket list: filters, order, full text, stable pages.")
    async def list_tickets(principal: Anybody, query: Annotated[ListQuery, Query()]) -> Response:
        return await listed(principal, query)

    @router.get("/search", summary="Tickets that contain these words.")
    async def search(principal: Anybody, query: Annotated[SearchQuery, Query()]) -> Response:
        return await listed(principal, query)

    @router.get(
        "/tickets/{ticket}", summary="A ticket (by id or number) with its conversation and figures."
    )
    async def read_ticket(
        ticket: str, request: Request, principal: Anybody, query: Annotated[TicketQuery, Query()]
    ) -> Response:
        reference, scope, pool = parse_reference(ticket), Scope.of(principal), await parts.pool()
        if query.min_version is not None:
            await parts.arrivals.wait_for(
                pool,
                reference,
                query.min_version,
                scope,
                seconds_max=parts.settings.min_version_seconds_max,
            )
        found = await find_ticket(pool, reference, scope)
        await parts.reads.note(request, principal, found)
        if query.as_of is not None:
            past.only_staff(principal)
            return await past.ticket_answer(parts, found["ticket_id"], query.as_of)
        found |= await conversation(pool, found["ticket_id"], scope)
        return answer(parts, {"ticket": found}, version=found["version"])

    @router.get(
        "/tickets/{ticket}/timeline",
        summary="Every event of a ticket: who, when, old and new value, as sentence and as data.",
    )
    async def read_timeline(
        ticket: str, request: Request, principal: Agent, query: Annotated[TimelineQuery, Query()]
    ) -> Response:
        pool = await parts.pool()
        found = await find_ticket(pool, parse_reference(ticket), Scope.of(principal))
        await parts.reads.note(request, principal, found)
        page = await timeline.timeline(
            pool,
            found["ticket_id"],
            limit=query.limit,
            after=query.cursor,
            until=past_instant(query.as_of) if query.as_of else None,
        )
        return answer(parts, {"ticket_id": found["ticket_id"], "number": found["number"], **page})

    @router.get(
        "/tickets/{ticket}/pauses",
        summary="The pauses of a ticket's clocks: who, when, how long, and what was lost while the customer waited.",
    )
    async def read_pauses(ticket: str, request: Request, principal: Agent) -> Response:
        pool = await parts.pool()
        found = await find_ticket(pool, parse_reference(ticket), Scope.of(principal))
        await parts.reads.note(request, principal, found)
        told = await pauses.pauses_of(pool, found["ticket_id"])
        return answer(parts, {"ticket_id": found["ticket_id"], "number": found["number"], **told})

    return router
