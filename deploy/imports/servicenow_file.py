"""Reading a ServiceNow incident log: CSV rows → checked snapshots, grouped by incident; bad rows are set aside."""

import csv
import gzip
import lzma
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, Final

import msgspec

from shared.events.base import Priority, StatusCategory

UNKNOWN: Final = "?"

SENSELESS_STATES: Final = frozenset({"-100"})
"""Known junk of the published log: refused and listed, but no reason to call the import failed."""

RESOLVED: Final = "Resolved"
CLOSED: Final = "Closed"

OPEN_STATES: Final[dict[str, StatusCategory]] = {
    "New": StatusCategory.NEW,
    "Active": StatusCategory.OPEN,
    "Awaiting User Info": StatusCategory.PENDING,  # the customer must give something
    "Awaiting Evidence": StatusCategory.HOLD,  # nobody here can do anything meanwhile, as with the next two
    "Awaiting Problem": StatusCategory.HOLD,
    "Awaiting Vendor": StatusCategory.HOLD,
}
"""The states in which somebody still works on an incident."""

_ENDED_STATES: Final = frozenset({RESOLVED, CLOSED})

_PRIORITIES: Final = {
    "1": Priority.URGENT,
    "2": Priority.HIGH,
    "3": Priority.NORMAL,
    "4": Priority.LOW,
}

FLAGS: Final = ("knowledge", "u_priority_confirmation", "made_sla")
"""Columns of true and false that become fields."""

WORDS: Final = (
    "caller_id",
    "contact_type",
    "location",
    "category",
    "subcategory",
    "u_symptom",
    "cmdb_ci",
    "impact",
    "urgency",
    "notify",
    "problem_id",
    "rfc",
    "vendor",
    "caused_by",
)
"""Columns of text that become fields, under their own names."""

_NEEDED: Final = (
    "number",
    "incident_state",
    "opened_by",
    "opened_at",
    "sys_updated_by",
    "sys_updated_at",
    "priority",
    "assignment_group",
    "assigned_to",
    "closed_code",
    "resolved_by",
    "resolved_at",
    "closed_at",
    *FLAGS,
    *WORDS,
)
_MOMENT: Final = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4}) (\d{1,2}):(\d{2})", re.ASCII)
_NUMBER: Final = re.compile(r"[\w.-]{1,64}", re.ASCII)
"""It becomes part of the keys of commands, which are visible ASCII."""

_TEXT_CHARS_MAX: Final = 200
"""As long as a name may be at intake; the longest text of the published log has 26."""

_FIELD_CHARS_MAX: Final = 10_000
"""Of one CSV cell; the reader's own default is far more, and a broken quote would swallow the file."""

_MOMENTS_KEPT: Final = 65_536


class UnusableFile(Exception):
    """The file as a whole cannot be imported; the message is one line that says why."""


class RefusedRow(msgspec.Struct, frozen=True):
    """A row that was left out. `line`: of the file, from 1. `is_senseless`: junk that was to be expected."""

    line: int
    number: str
    column: str
    value: str
    reason: str
    is_senseless: bool = False


class Row(msgspec.Struct, frozen=True):
    """An incident as it was at `updated_at`. None: the file says `?`. Moments are UTC, whole minutes.

    `opened_at`, `resolved_at`, `closed_at`, `closed_code`, `resolved_by` have their final value on every row.
    """

    line: int
    number: str
    state: str
    updated_at: datetime
    updated_by: str | None
    opened_at: datetime | None
    opened_by: str | None
    resolved_at: datetime | None
    resolved_by: str | None
    closed_at: datetime | None
    closed_code: str | None
    priority: Priority | None
    group: str | None
    assignee: str | None
    fields: tuple[str | bool | None, ...]

    @property
    def has_ended(self) -> bool:
        """Nobody works on it in this state."""
        return self.state in _ENDED_STATES


FIELD_NAMES: Final = (*WORDS, *FLAGS)
"""The names of `Row.fields`, in the same order."""


class Log(msgspec.Struct, frozen=True):
    """The readable rows by incident, in the order of the file, and those that were refused."""

    incidents: dict[str, list[Row]]
    refused: list[RefusedRow]
    row_count: int


def read_log(path: Path) -> Log:
    """Read a whole log; `.xz` and `.gz` are unpacked on the way. Rows of one incident may lie apart.

    Raises:
        UnusableFile: it cannot be read, is no such log, or is cut off.
    """
    try:
        with _text(path) as text:
            return _read(text)
    except (OSError, EOFError, lzma.LZMAError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise UnusableFile(f"{path} cannot be read: {reason}") from error


def _read(text: IO[str]) -> Log:
    csv.field_size_limit(_FIELD_CHARS_MAX)
    reader = csv.reader(text, strict=True)
    header = next(reader, [])
    if missing := [name for name in _NEEDED if name not in header]:
        raise UnusableFile(
            f"the file is no ServiceNow incident log: no column {', '.join(missing)}"
        )
    incidents: dict[str, list[Row]] = {}
    refused: list[RefusedRow] = []
    row_count = 0
    for cells in reader:
        if not cells:
            continue
        row_count += 1
        found = _row(dict(zip(header, cells, strict=False)), reader.line_num, len(header), cells)
        if isinstance(found, RefusedRow):
            refused.append(found)
        else:
            incidents.setdefault(found.number, []).append(found)
    return Log(incidents, refused, row_count)


class _Bad(Exception):
    def __init__(self, column: str, reason: str) -> None:
        super().__init__(reason)
        self.column, self.reason = column, reason


def _row(row: dict[str, str], line: int, width: int, cells: list[str]) -> Row | RefusedRow:
    number = row.get("number", "").strip()
    if len(cells) != width:
        reason = f"has {len(cells)} cells where the header has {width}"
        return RefusedRow(line, number, "", "", reason)
    if row["incident_state"] in SENSELESS_STATES:
        return RefusedRow(
            line, number, "incident_state", row["incident_state"], "is no state", is_senseless=True
        )
    try:
        return _checked(row, line, number)
    except _Bad as bad:
        return RefusedRow(line, number, bad.column, row[bad.column][:_TEXT_CHARS_MAX], bad.reason)


def _checked(row: dict[str, str], line: int, number: str) -> Row:
    if not number or number == UNKNOWN:
        raise _Bad("number", "is needed")
    if _NUMBER.fullmatch(number) is None:
        raise _Bad(
            "number",
            "is no incident number: letters, digits, dots, dashes, underscores, at most 64",
        )
    state = row["incident_state"].strip()
    if state not in OPEN_STATES and state not in _ENDED_STATES:
        raise _Bad("incident_state", "is none of the states known here")
    updated_at = _moment_of(row, "sys_updated_at")
    if updated_at is None:
        raise _Bad("sys_updated_at", "is needed: when was it?")
    return Row(
        line=line,
        number=number,
        state=state,
        updated_at=updated_at,
        updated_by=_text_of(row, "sys_updated_by"),
        opened_at=_moment_of(row, "opened_at"),
        opened_by=_text_of(row, "opened_by"),
        resolved_at=_moment_of(row, "resolved_at"),
        resolved_by=_text_of(row, "resolved_by"),
        closed_at=_moment_of(row, "closed_at"),
        closed_code=_text_of(row, "closed_code"),
        priority=_priority_of(row),
        group=_named(row, "assignment_group"),
        assignee=_named(row, "assigned_to"),
        fields=(
            *(_text_of(row, name) for name in WORDS),
            *(_flag_of(row, name) for name in FLAGS),
        ),
    )


def _text_of(row: dict[str, str], column: str) -> str | None:
    text = _squeezed(row[column])
    if len(text) > _TEXT_CHARS_MAX:
        raise _Bad(column, f"is over {_TEXT_CHARS_MAX} characters long")
    if not text.isprintable():
        raise _Bad(column, "holds characters that cannot be printed")
    return None if text in {"", UNKNOWN} else text


def _named(row: dict[str, str], column: str) -> str | None:
    text = _text_of(row, column)
    if text is not None and not slug(text):
        raise _Bad(column, "holds no letter or digit to make an id of")
    return text


def _flag_of(row: dict[str, str], column: str) -> bool | None:
    text = row[column].strip().lower()
    if text in {"", UNKNOWN}:
        return None
    if text not in {"true", "false"}:
        raise _Bad(column, "is neither true nor false")
    return text == "true"


def _priority_of(row: dict[str, str]) -> Priority | None:
    text = row["priority"].strip()
    if text in {"", UNKNOWN}:
        return None
    level, _, _ = text.partition(" ")
    if level not in _PRIORITIES:
        raise _Bad("priority", "is none of 1 to 4")
    return _PRIORITIES[level]


def _moment_of(row: dict[str, str], column: str) -> datetime | None:
    text = row[column].strip()
    if text in {"", UNKNOWN}:
        return None
    try:
        return _moment(text)
    except ValueError:
        raise _Bad(column, "is no moment such as 29/2/2016 01:16") from None


@lru_cache(maxsize=_MOMENTS_KEPT)
def _moment(text: str) -> datetime:
    """The log names no time zone; UTC keeps its differences as they are (no clock change)."""
    found = _MOMENT.fullmatch(text)
    if found is None:
        raise ValueError(text)
    day, month, year, hour, minute = map(int, found.groups())
    return datetime(year, month, day, hour, minute, tzinfo=UTC)


@lru_cache(maxsize=_MOMENTS_KEPT)
def _squeezed(text: str) -> str:
    """Also makes equal texts one object: a log repeats few values very often."""
    return " ".join(text.split())


@lru_cache(maxsize=_MOMENTS_KEPT)
def slug(text: str) -> str:
    """An id made of a name: `Group 56` → `group-56`; empty when nothing is left."""
    return re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip("-._")[:64].rstrip("-._")


@contextmanager
def _text(path: Path) -> Iterator[IO[str]]:
    openers: dict[str, Any] = {".xz": lzma.open, ".gz": gzip.open}
    with openers.get(path.suffix.lower(), open)(
        path, "rt", encoding="utf-8-sig", newline=""
    ) as text:
        yield text


def first(log: Log, limit: int | None) -> Iterable[tuple[str, list[Row]]]:
    """The first incidents of the file, whole; all of them without a limit."""
    items = list(log.incidents.items())
    return items if limit is None else items[:limit]
