"""Who speaks moves the status: the whole table of moves, with the reason for each, in one place."""

from collections.abc import Mapping
from typing import Final

from shared.events import StatusCategory as C

AFTER_AN_AGENT_SPOKE: Final[Mapping[C, C]] = {
    C.NEW: C.ANSWERED,  # somebody looked and answered
    C.OPEN: C.ANSWERED,  # the customer has the word again
    C.ANSWERED: C.ANSWERED,  # still the agent who spoke last
    C.PENDING: C.ANSWERED,  # a new word replaces the old question; an agent who still waits says so with the reply
    C.HOLD: C.HOLD,  # telling the customer about it does not make the third party faster
    C.POSTPONED: C.POSTPONED,  # the agent chose the date; a word in between does not move it
    C.SOLVED: C.SOLVED,  # a farewell
}
"""Where a ticket goes when an agent (not a robot) writes to the customer. Closed: refused."""

AFTER_THE_CUSTOMER_SPOKE: Final[Mapping[C, C]] = {
    C.NEW: C.NEW,  # nobody has looked yet; one more message changes nothing about that
    C.OPEN: C.OPEN,  # already the agent's turn
    C.ANSWERED: C.OPEN,  # the agent's turn
    C.PENDING: C.OPEN,  # what was asked for may be here
    C.HOLD: C.OPEN,  # the customer may have news; an agent puts it back on hold after reading
    C.POSTPONED: C.OPEN,  # the customer will not wait for the date
    C.SOLVED: C.OPEN,  # it was not solved after all: reopened
}
"""Where a ticket goes when the customer writes. From solved it is reopened. Closed: refused."""

SET_BY_HAND: Final = frozenset({C.OPEN, C.ANSWERED, C.PENDING, C.HOLD, C.POSTPONED})
"""What an agent may choose. `answered` too: an answer may have been given on the phone."""

OPENING: Final = frozenset({C.NEW, C.OPEN, C.ANSWERED, C.PENDING, C.HOLD})
"""Where a ticket may begin. Postponed needs a date, solved a summary: both are commands of their own."""

REOPENED_AS: Final = frozenset({C.OPEN, C.ANSWERED, C.PENDING, C.HOLD})
"""Where a reopened ticket may go. Postponing it needs a date and is a second command."""

ENDED: Final = frozenset({C.SOLVED, C.CLOSED})
"""Nobody is expected to work on it."""
