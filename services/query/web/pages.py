"""All pages as one router; `services.query.main` includes it."""

from fastapi import APIRouter

from services.query.web import (
    api_page,
    assets,
    audit_page,
    contacts,
    desk,
    login,
    oncall,
    past_page,
    people,
    promises,
    reports,
    stream,
    ticket_list,
    ticket_page,
    unsubscribe,
    wall,
)

router = APIRouter()
for room in (
    assets,
    login,
    wall,
    desk,
    stream,
    ticket_list,
    ticket_page,
    past_page,
    people,
    promises,
    oncall,
    contacts,
    audit_page,
    unsubscribe,  # before `/reports/{name}`
    reports,
    api_page,
):
    router.include_router(room.router)
