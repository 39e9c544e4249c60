"""All pages as one router; `services.query.main` includes it."""

from fastapi import APIRouter

from services.query.web import (
    api_page,
    articles,
    assets,
    audit_page,
    contacts,
    desk,
    login,
    new_ticket,
    oncall,
    past_page,
    people,
    promises,
    reports,
    stream,
    tasks,
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
    new_ticket,  # before `/tickets/{reference}`
    ticket_page,
    tasks,
    past_page,
    people,
    promises,
    oncall,
    contacts,
    articles,
    audit_page,
    unsubscribe,  # before `/reports/{name}`
    reports,
    api_page,
):
    router.include_router(room.router)
