"""The HTTP entrance of the sla service: promises, clocks, arithmetic, alerts."""

from fastapi import APIRouter

from services.sla.api import arithmetic, oncall, promises, tickets
from services.sla.app import Sla


def routers(sla: Sla) -> list[APIRouter]:
    """All routes of the service, wired to its verbs."""
    return [
        promises.router(sla),
        tickets.router(sla),
        arithmetic.router(),
        oncall.router(sla),
    ]
