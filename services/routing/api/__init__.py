"""The HTTP entrance of routing: each handler translates and calls one verb."""

from fastapi import FastAPI

from services.routing.api import (
    agents,
    dry_runs,
    groups,
    history,
    importing,
    offers,
    queue,
    rules,
    settings,
    simulate,
    tickets,
)
from services.routing.app.routing import Routing


def add_routes(api: FastAPI, routing: Routing) -> None:
    """Put all addresses of routing on the API."""
    for room in (
        agents,
        groups,
        rules,
        dry_runs,
        history,
        queue,
        tickets,
        importing,
        offers,
        settings,
    ):
        api.include_router(room.router(routing))
    api.include_router(simulate.router())
