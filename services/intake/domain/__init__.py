"""The ticket: what may happen to it, and what it becomes when it has happened. Pure: no I/O, no clock."""

from services.intake.domain.commands import Command, OpenTicket
from services.intake.domain.context import Context
from services.intake.domain.decide import decide
from services.intake.domain.opening import check_opening, open_ticket
from services.intake.domain.parts import Link
from services.intake.domain.ticket import Ticket, evolve

__all__ = [
    "Command",
    "Context",
    "Link",
    "OpenTicket",
    "Ticket",
    "check_opening",
    "decide",
    "evolve",
    "open_ticket",
]
