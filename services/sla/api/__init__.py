"""The HTTP entrance of the sla service: promises, clocks, arithmetic, alerts, contacts, rotas."""

from fastapi import APIRouter

from services.sla.alerts.desk import AlertDesk
from services.sla.api import (
    arithmetic,
    contacts,
    deliveries,
    oncall,
    promises,
    rotas,
    sinks,
    tickets,
    trials,
)
from services.sla.app import Sla
from services.sla.backtest.desk import TrialDesk
from services.sla.oncall.contact_desk import ContactDesk
from services.sla.oncall.desk import RotaDesk
from services.sla.reapplying import Reapplication


def routers(
    sla: Sla,
    rota_desk: RotaDesk,
    alert_desk: AlertDesk,
    contact_desk: ContactDesk,
    trial_desk: TrialDesk,
    reapplication: Reapplication,
) -> list[APIRouter]:
    """All routes of the service, wired to its verbs."""
    return [
        promises.router(sla),
        tickets.router(sla),
        arithmetic.router(),
        trials.router(trial_desk, reapplication),
        oncall.router(sla),  # before the rotas: `alerts`, `sinks` and others are no rotas
        sinks.router(alert_desk),
        deliveries.router(alert_desk),
        contacts.router(contact_desk),
        rotas.router(rota_desk),
    ]
