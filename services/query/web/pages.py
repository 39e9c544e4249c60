"""All pages as one router; `services.query.main` includes it."""

from typing import Final

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

ROOMS: Final = (
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
)
"""In the order in which an address is looked for."""

router = APIRouter()
for room in ROOMS:
    router.include_router(room.router)
