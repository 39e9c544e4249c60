"""The trail of a ticket: what a backtest must know of it and routing's own events do not tell.

That an agent's hands became free, when a promise was due: these are intake's and sla's events, which routing hears and
does not store. Entries are only ever added, with the row that is written anyway.
"""

from datetime import datetime
from enum import StrEnum

import msgspec

from services.routing.domain.ticket import Ticket


class Mark(StrEnum):
    """What happened. The value of an entry: see each."""

    OPENED = "opened"
    """It came; the priority it had then."""
    NEEDED = "needed"
    """It needs an agent again."""
    FREED = "freed"
    """It needs nobody any more, for now or for good; the category."""
    REPLIED = "replied"
    """The customer was answered. Earlier versions noted it, and their rows still tell it; nobody asks any more."""
    DUE = "due"
    """Its first reply is due at the moment in the value (ISO 8601)."""
    PRIORITY = "priority"
    """A person set another priority."""


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """One mark, when, and its value."""

    at: datetime
    what: Mark
    value: str = ""


ENTRIES_MAX = 200
"""The end of a very long story is cut off; a backtest takes it as ended there."""


def note(ticket: Ticket, at: datetime, what: Mark, value: str = "") -> None:
    """Add an entry; it is written with the ticket's row."""
    ticket.trail = (*ticket.trail, (at, what.value, value))
