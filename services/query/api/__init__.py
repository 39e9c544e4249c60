"""The entrance over HTTP: translates a request into one view and its answer into JSON that says how fresh it is."""

from fastapi import APIRouter, Depends

from services.query.api import (
    attention,
    audit,
    audit_roots,
    contacts,
    dashboard,
    export,
    reports,
    reports_by_name,
    saved_views,
    subscriptions,
    tasks,
    tickets,
)
from services.query.api.only_known import only_known
from services.query.parts import Parts


def make_router(parts: Parts) -> APIRouter:
    """All routes of this service's API."""
    router = APIRouter(prefix="/v1", dependencies=[Depends(only_known)])
    for room in (
        attention,
        contacts,
        tickets,
        saved_views,
        tasks,
        dashboard,
        reports,
        export,
        audit,
        audit_roots,
        subscriptions,  # before `/reports/{name}`
        reports_by_name,
    ):
        router.include_router(room.make_router(parts))
    return router
