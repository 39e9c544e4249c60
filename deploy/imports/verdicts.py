"""Ticket by ticket: does our clock say the same as the verdict that the file carries?"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from deploy.imports.door import FrontDoor
from deploy.imports.promises import LIMIT_SECONDS, VERDICT_FIELD
from deploy.imports.servicenow_file import FIELD_NAMES, Log

_PAGE: Final = 200
"""The most that the list gives at once."""

_METRIC: Final = "resolution"


class Ours(msgspec.Struct, frozen=True):
    """What query says of one ticket. `is_kept`: None while its clock is undecided, or when it never had one."""

    priority: str
    is_kept: bool | None


class Agreement(msgspec.Struct, frozen=True):
    """The comparison for one priority. `undecided` counts as not agreeing.

    `missing`: in the file, but not imported; their priority here is not known, so only `all` has them.
    """

    priority: str
    compared: int
    agreeing: int
    only_ours_broken: int
    only_theirs_broken: int
    undecided: int
    missing: int = 0

    @property
    def share(self) -> float | None:
        """From 0 to 1."""
        return self.agreeing / self.compared if self.compared else None


def verdicts_of(log: Log) -> dict[str, bool]:
    """What the file says at the end of each incident; those it says nothing about are left out."""
    place = FIELD_NAMES.index(VERDICT_FIELD)
    said = {number: rows[-1].fields[place] for number, rows in log.incidents.items()}
    return {number: verdict for number, verdict in said.items() if isinstance(verdict, bool)}


async def fetch_ours(door: FrontDoor) -> dict[str, Ours]:
    """Every imported ticket by the number it had in the other system."""
    found: dict[str, Ours] = {}
    cursor = ""
    while True:
        page = await door.ask(
            "GET", f"/v1/tickets?channel=import&sort=created&limit={_PAGE}{cursor}"
        )
        for ticket in page["tickets"]:
            if ticket["external_id"] is not None:
                found[ticket["external_id"]] = Ours(ticket["priority"], _is_kept(ticket))
        if page["next"] is None:
            return found
        cursor = f"&cursor={page['next']}"


def agreements(theirs: Mapping[str, bool], ours: Mapping[str, Ours]) -> list[Agreement]:
    """The comparison by final priority, for those with a limit; the last one, `all`, is their sum."""
    counts = {priority: [0] * 5 for priority in LIMIT_SECONDS}
    missing = 0
    for number, verdict in theirs.items():
        found = ours.get(number)
        if found is None:
            missing += 1
        elif found.priority in counts:
            count = counts[found.priority]
            count[0] += 1
            count[_place(verdict, found.is_kept)] += 1
    rows = [Agreement(priority, *count) for priority, count in counts.items()]
    compared, agreeing, ours_only, theirs_only, undecided = map(
        sum, zip(*counts.values(), strict=True)
    )
    total = Agreement("all", compared, agreeing, ours_only, theirs_only, undecided, missing)
    return [*rows, total]


def _place(theirs: bool, ours: bool | None) -> int:
    if ours is None:
        return 4
    if ours is theirs:
        return 1
    return 3 if ours else 2


def _is_kept(ticket: dict[str, Any]) -> bool | None:
    if _METRIC in ticket["breached_metrics"]:
        return False
    states = {clock["state"] for clock in ticket["clocks"] if clock["metric"] == _METRIC}
    return True if "met" in states else None
