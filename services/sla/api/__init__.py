"""The HTTP entrance of the sla service: promises, clocks, arithmetic, alerts, rotas."""

from fastapi import APIRouter

from services.sla.api import arithmetic, oncall, promises, rotas, tickets
from services.sla.app import Sla
from services.sla.oncall.desk import RotaDesk


def routers(sla: Sla, rota_desk: RotaDesk) -> list[APIRouter]:
    """All routes of the service, wired to its verbs."""
    return [
        promises.router(sla),
        tickets.router(sla),
        arithmetic.router(),
        oncall.router(sla),  # before the rotas: `alerts` is no rota
        rotas.router(rota_desk),
    ]
