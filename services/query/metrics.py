"""What every reported figure means, in words; the arithmetic stands once, in the views of migration 0003.

API, report, pages and the schema `bi` read those views and explain themselves with these sentences.
"""

from typing import Final

DEFINITIONS: Final[dict[str, str]] = {
    "tickets": "Tickets opened in the period.",
    "reopened": "Tickets that were opened again at least once after they were solved or closed.",
    "handed_over": (
        "Tickets that changed their group at least once. The first group is no handoff when a rule chose it or it came"
        " with the opening; giving a ticket back to the pool without a group, and taking it from there, is one."
    ),
    "group_handoffs": "Changes of group of one ticket, counted as for handed_over.",
    "opened_to_closed": "From the opening to the last closing; tickets that are not closed do not count.",
    "opened_to_resolved": (
        "From the opening to the last time it was solved; tickets that are open again or were never solved do not"
        " count."
    ),
    "first_reply": (
        "From the opening to the first public message of a human agent who is not the requester (rule S1); tickets"
        " that an agent opened towards the customer have none."
    ),
    "attainment": (
        "Clocks fulfilled in time, of all that were fulfilled or breached (rule S4: exactly at the deadline is in"
        " time). Running ones, and those cancelled without a breach, are undecided; a retracted breach is none."
    ),
    "agreement": "Tickets whose own yes/no field says the same as our clock: promise kept or not.",
}
