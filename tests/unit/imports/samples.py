"""Small incident logs, written by hand."""

import csv
import io
from pathlib import Path

from deploy.imports.commands import History
from deploy.imports.servicenow import history
from deploy.imports.servicenow_file import Log, read_log

_USUAL = {
    "number": "INC1",
    "incident_state": "New",
    "active": "true",
    "reassignment_count": "0",
    "made_sla": "true",
    "caller_id": "Caller 7",
    "opened_by": "Opened by  8",
    "opened_at": "1/3/2016 08:00",
    "sys_updated_by": "Updated by 9",
    "sys_updated_at": "1/3/2016 08:10",
    "contact_type": "Phone",
    "location": "Location 1",
    "category": "Category 2",
    "subcategory": "Subcategory 3",
    "u_symptom": "?",
    "cmdb_ci": "?",
    "impact": "2 - Medium",
    "urgency": "2 - Medium",
    "priority": "3 - Moderate",
    "assignment_group": "Group 5",
    "assigned_to": "?",
    "knowledge": "true",
    "u_priority_confirmation": "false",
    "notify": "Do Not Notify",
    "problem_id": "?",
    "rfc": "?",
    "vendor": "?",
    "caused_by": "?",
    "closed_code": "code 6",
    "resolved_by": "Resolved by 4",
    "resolved_at": "1/3/2016 10:00",
    "closed_at": "6/3/2016 10:00",
}


def a_row(state: str = "New", updated_at: str = "1/3/2016 08:10", **said: str) -> dict[str, str]:
    """One row; what is not said is as usual."""
    return _USUAL | {"incident_state": state, "sys_updated_at": updated_at} | said


def as_csv(*rows: dict[str, str]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(_USUAL), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def a_file(folder: Path, *rows: dict[str, str]) -> Path:
    path = folder / "log.csv"
    path.write_text(as_csv(*rows), encoding="utf-8-sig")
    return path


def a_log(folder: Path, *rows: dict[str, str]) -> Log:
    return read_log(a_file(folder, *rows))


def the_history(folder: Path, *rows: dict[str, str]) -> History:
    """The commands of the only incident of these rows."""
    log = a_log(folder, *rows)
    assert not log.refused
    ((number, found),) = log.incidents.items()
    return history(number, found)
