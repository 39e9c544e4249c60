"""The states that customers know, computed in one place from what intake and routing say.

| category            | customer_state | waiting_for                                            |
|---------------------|----------------|--------------------------------------------------------|
| new                 | new            | `agent` while it is queued, else `us`                  |
| open                | open           | `agent` while it is queued, else `us`                  |
| hold                | open           | `third_party`                                          |
| answered            | answered       | -                                                      |
| pending             | answered       | `customer`: something was asked for                    |
| postponed           | postponed      | `date`: until `customer_state_until`                   |
| solved, closed      | resolved       | - (`customer_state_until`: a reply reopens until then) |

So waiting for the customer, postponed by an agent, and queued are three things to both sides.
"""

from enum import StrEnum
from typing import Final, LiteralString


class CustomerState(StrEnum):
    """What a customer is told about a ticket."""

    NEW = "new"
    OPEN = "open"
    ANSWERED = "answered"
    POSTPONED = "postponed"
    RESOLVED = "resolved"


CATEGORIES: Final = {
    CustomerState.NEW: ("new",),
    CustomerState.OPEN: ("open", "hold"),
    CustomerState.ANSWERED: ("answered", "pending"),
    CustomerState.POSTPONED: ("postponed",),
    CustomerState.RESOLVED: ("solved", "closed"),
}
"""State → the categories that it stands for."""

STATE: Final[LiteralString] = """CASE t.category
    WHEN 'hold' THEN 'open' WHEN 'pending' THEN 'answered'
    WHEN 'solved' THEN 'resolved' WHEN 'closed' THEN 'resolved' ELSE t.category END"""
"""SQL: the state of a row `t` of `tickets`."""

COLUMNS: Final[LiteralString] = f"""
    {STATE} AS customer_state,
    CASE t.category WHEN 'postponed' THEN t.postponed_until WHEN 'solved' THEN t.reopen_until
        END AS customer_state_until,
    CASE WHEN t.category = 'pending' THEN 'customer' WHEN t.category = 'hold' THEN 'third_party'
        WHEN t.category = 'postponed' THEN 'date'
        WHEN t.category IN ('new', 'open') AND t.assignee_id IS NULL AND t.queued_at IS NOT NULL THEN 'agent'
        WHEN t.category IN ('new', 'open') THEN 'us' END AS waiting_for
"""
"""SQL: the state, until when it holds, and for whom or what the ticket waits."""
