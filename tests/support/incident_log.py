"""A made-up incident log of any size, the same for the same seed: for tests that need more than a handful of rows."""

import random
from datetime import datetime, timedelta
from pathlib import Path

from tests.unit.imports.samples import a_row, as_csv

_START = datetime(2016, 3, 1, 8, 0)  # noqa: DTZ001  # the format has no zone


def write_incident_log(path: Path, incident_count: int, *, seed: int = 1) -> Path:
    """Incidents that wander between groups and people, wait, are solved, sometimes come back, and close."""
    dice = random.Random(seed)
    rows = []
    for number in range(1, incident_count + 1):
        opened = _START + timedelta(minutes=dice.randrange(500_000))
        rows += _incident(f"INC{number:07}", opened, dice)
    path.write_text(as_csv(*rows), encoding="utf-8-sig")
    return path


def _incident(number: str, opened: datetime, dice: random.Random) -> list[dict[str, str]]:
    steps: list[dict[str, str]] = [{"incident_state": "New"}]
    group = dice.randrange(9)
    for _ in range(dice.randrange(1, 6)):
        if dice.random() < 0.3:
            group = dice.randrange(9)
        waiting = dice.random() < 0.2
        steps.append(
            {
                "incident_state": "Awaiting User Info" if waiting else "Active",
                "assignment_group": f"Group {group}",
                "assigned_to": f"Resolver {dice.randrange(30)}",
            }
        )
    steps.append({**steps[-1], "incident_state": "Resolved"})
    if dice.random() < 0.05:
        steps.append({**steps[-1], "incident_state": "Active"})
        steps.append({**steps[-1], "incident_state": "Resolved"})
    steps.append({**steps[-1], "incident_state": "Closed"})
    moments = [opened]
    for _ in steps:
        moments.append(moments[-1] + timedelta(minutes=dice.randrange(1, 600)))
    priority = dice.choice(["1 - Critical", "3 - Moderate", "3 - Moderate", "4 - Low"])
    final = {
        "number": number,
        "opened_at": _told(opened),
        "resolved_at": _told(moments[-2]),
        "closed_at": _told(moments[-1]),
        "priority": priority,
    }
    state_rows = []
    for step, moment in zip(steps, moments[1:], strict=True):
        row = {**final, "assignment_group": "Group 0", "assigned_to": "?", **step}
        state = row.pop("incident_state")
        state_rows.append(a_row(state, _told(moment), **row))
    return state_rows


def _told(moment: datetime) -> str:
    return f"{moment.day}/{moment.month}/{moment.year} {moment:%H:%M}"
