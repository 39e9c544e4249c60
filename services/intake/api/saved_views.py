"""Addresses of saved views: everybody keeps own ones, supervisors shared ones. What is in them, query says."""

from fastapi import APIRouter, Request, Response

from services.intake.api.configuration import Room, answer_of, check_name
from services.intake.app import Intake
from services.intake.domain.saved_views import SavedView
from shared.clock import Clock
from shared.http.bodies import read_json
from shared.http.openapi import openapi_body
from shared.security import Principal, Role, authenticate

_OPENAPI = openapi_body(SavedView, answer=SavedView)


def saved_views_router(intake: Intake, clock: Clock) -> APIRouter:
    """All addresses."""
    router = APIRouter(prefix="/v1/views", tags=["views"])
    room = Room(intake, clock)
    _add(router, room, "shared", Role.SUPERVISOR)
    _add(router, room, "mine", Role.AGENT)
    return router


def _add(router: APIRouter, room: Room, place: str, writes: Role) -> None:
    """The addresses of shared views, or of everybody's own, whose names are apart from those of others."""
    is_own = place == "mine"
    words = "of one's own" if is_own else "that is shared"

    def stored(name: str, principal: Principal) -> str:
        check_name(name)
        return f"{principal.id}/{name}" if is_own else name

    @router.get(f"/{place}/{{name}}", summary=f"One view {words}.", name=f"get_view_{place}")
    async def get(name: str, request: Request) -> Response:
        principal = await authenticate(request, Role.AGENT)
        return answer_of(await room.document("view", stored(name, principal)))

    @router.put(
        f"/{place}/{{name}}",
        summary=f"Keep a view {words}, or a new version of it.",
        openapi_extra=_OPENAPI,
        name=f"put_view_{place}",
    )
    async def put(name: str, request: Request) -> Response:
        principal = await authenticate(request, writes)
        view = await read_json(request, SavedView)
        view.check(is_personal=is_own)
        told = view.told(principal.id if is_own else None)
        return answer_of(
            await room.define("view", stored(name, principal), told, request, principal)
        )

    @router.delete(
        f"/{place}/{{name}}", summary=f"Take a view {words} away.", name=f"delete_view_{place}"
    )
    async def delete(name: str, request: Request) -> Response:
        principal = await authenticate(request, writes)
        return answer_of(
            await room.define("view", stored(name, principal), None, request, principal)
        )
