"""What becomes of a wish of routing's rules: which commands follow from it. Pure."""

from services.intake.domain.commands import ChangePriority, ChangeTags, Command, Together
from services.intake.domain.ticket import Ticket
from shared.events import StatusCategory
from shared.events.triage import TriageRequested

_LEFT_ALONE = frozenset({StatusCategory.SOLVED, StatusCategory.CLOSED})


def follow(ticket: Ticket, wish: TriageRequested) -> Command | None:
    """The command that does it; None when there is nothing left to do.

    A priority that is not the one the rule saw was set by somebody meanwhile, and stays. A ticket that has ended is
    left alone.
    """
    if ticket.category in _LEFT_ALONE:
        return None
    commands: list[Command] = []
    if wish.priority is not None and ticket.priority is wish.previous_priority:
        commands.append(ChangePriority(priority=wish.priority))
    if wish.tags:
        commands.append(ChangeTags(add=wish.tags))
    return Together(commands=tuple(commands)) if commands else None
