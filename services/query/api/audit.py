"""`/v1/audit`: every event of every topic, for supervisors and admins; one ticket's whole history as a file."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from services.query.api.answers import Text, answer, check_range
from services.query.parts import Parts
from services.query.past.history import Format, history_file, whole_history
from services.query.views.audit import LIMIT_MAX, READS, AuditFilter, audit
from services.query.views.scope import Scope
from services.query.views.ticket import find_ticket, parse_reference
from shared.errors import Invalid
from shared.security import Principal, Role, require
from shared.security.guard import token_of

Supervisor = Annotated[Principal, Depends(require(Role.SUPERVISOR))]

_STRICT: Final = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class AuditQuery(BaseModel):
    """Which events: `from` is inclusive, `to` exclusive, both by the time of recording.

    `type` is a wire type or its beginning up to a dot; `correlation` everything that one request set in motion.
    """

    model_config = _STRICT

    actor: Text | None = None
    ticket: Text | None = None
    field: Text | None = None
    type: Text | None = None
    since: AwareDatetime | None = Field(default=None, alias="from")
    until: AwareDatetime | None = Field(default=None, alias="to")
    q: Text | None = None
    correlation: Text | None = None
    limit: Annotated[int, Field(ge=1, le=LIMIT_MAX)] = 50
    cursor: Text | None = None


class HistoryQuery(BaseModel):
    """As what. `proof`: with what proves each event (NDJSON only), for `ticketing audit verify --file`."""

    model_config = _STRICT

    format: Format = Format.NDJSON
    proof: bool = False


async def filter_of(parts: Parts, query: AuditQuery) -> AuditFilter:
    """The same for the view.

    Raises:
        Invalid: the time ends before it begins.
        NotFound: there is no such ticket.
    """
    check_range(("from", query.since), ("to", query.until))
    ticket_id = None
    if query.ticket is not None:
        reference = parse_reference(query.ticket)
        ticket_id = (await find_ticket(await parts.pool(), reference, Scope()))["ticket_id"]
    return AuditFilter(
        actor=query.actor,
        ticket_id=ticket_id,
        field=query.field,
        type=query.type,
        since=query.since,
        until=query.until,
        q=query.q,
        correlation=query.correlation,
    )


async def audited(
    parts: Parts, request: Request, principal: Principal, query: AuditQuery
) -> dict[str, Any]:
    """One page of the audit; whose sensitive tickets' events stand on it is recorded first."""
    wanted = await filter_of(parts, query)
    page = await audit(await parts.pool(), wanted, limit=query.limit, after=query.cursor)
    shown = [event["ticket_id"] for event in page["events"] if event["topic"] != READS]
    await parts.reads.note_of(request, principal, [id_ for id_ in shown if id_ is not None])
    return page


def make_router(parts: Parts) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["audit"])

    @router.get(
        "/audit",
        summary="Events of all topics, newest first: who, from where, old and new, cause and consequence.",
    )
    async def read_audit(
        request: Request, principal: Supervisor, query: Annotated[AuditQuery, Query()]
    ) -> Response:
        return answer(parts, await audited(parts, request, principal, query))

    @router.get(
        "/audit/tickets/{ticket}",
        summary="One ticket's whole history as a file: NDJSON (with `proof=true` one that proves itself), CSV or PDF.",
        response_class=Response,
    )
    async def export_history(
        ticket: str,
        request: Request,
        principal: Supervisor,
        query: Annotated[HistoryQuery, Query()],
    ) -> Response:
        if query.proof and query.format is not Format.NDJSON:
            raise Invalid.of("proof", "only NDJSON has the bytes that a proof is about")
        pool = await parts.pool()
        found = await find_ticket(pool, parse_reference(ticket), Scope())
        await parts.reads.note(request, principal, found)
        events = await whole_history(pool, found["ticket_id"])
        body = await history_file(query.format, found, events, asked_by=principal.id)
        if query.proof:
            body += await parts.proofs.of(found["ticket_id"], events, token_of(request))
        kind = "proven-history" if query.proof else "history"
        name = f"ticket-{found['number']}-{kind}.{query.format}"
        return Response(
            body,
            media_type=query.format.media_type,
            headers={
                "Content-Disposition": f'attachment; filename="{name}"',
                "Cache-Control": "private, no-store",
            },
        )

    return router
