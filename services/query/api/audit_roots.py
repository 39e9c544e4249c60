"""`GET /v1/audit/roots`: where each service tells its own signed roots; all of them through the same door."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends

from services.query.parts import Parts
from shared.events import Owner
from shared.security import Principal, Role, require

SERVICES: Final = (*(owner.value for owner in Owner), "query")


def make_router(_parts: Parts) -> APIRouter:
    """The route."""
    router = APIRouter(tags=["audit"])

    @router.get("/audit/roots", summary="Where each service tells its signed daily roots.")
    async def list_roots(_: Annotated[Principal, Depends(require(Role.AGENT))]) -> dict[str, Any]:
        return {
            "roots": [
                {"service": name, "href": f"/v1/audit/roots/{name}"} for name in sorted(SERVICES)
            ]
        }

    return router
