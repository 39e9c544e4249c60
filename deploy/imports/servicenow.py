"""What a ServiceNow incident log says happened: snapshots of one incident → dated commands. Pure.

A row is a snapshot, so a command is the difference to the row before. The first row is the creation: all it
says holds from `opened_at` on, except that a ticket cannot begin ended. Three rules need their reason:

Order. The file's order is the truth, its minutes are not fine enough for it: a command happens at its row's
`sys_updated_at`, but never before the command of the same ticket that stands before it.

Ended. `resolved_at` and `closed_at` carry the final value. The last spell of Resolved is therefore solved from
its first row at or after `resolved_at` on, the last spell of Closed is closed likewise from `closed_at` on. A Resolved
row before that, or in an incident whose `resolved_at` is unknown, moves the ticket to `answered` with the label
Resolved: the agent has spoken, but the file does not say that this was the solution. Earlier spells have no
final moment and count from their first row.

Reopened. Stepping back from an ended spell. Only an ended ticket can be reopened, so a spell of Resolved that is
stepped back from is always ended: solved, or, where the file knows no `resolved_at`, closed.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, Final

from msgspec import UNSET, UnsetType

from deploy.imports.commands import (
    Assign,
    Close,
    History,
    IntakeLine,
    Open,
    Patch,
    Reopen,
    Requester,
    Resolve,
    RoutingLine,
    Status,
    ToGroup,
    Unassign,
    Which,
    Who,
)
from deploy.imports.servicenow_file import (
    CLOSED,
    FIELD_NAMES,
    OPEN_STATES,
    RESOLVED,
    Row,
    slug,
)
from shared.events.base import ActorKind, Channel, Priority, StatusCategory

SYSTEM: Final = "servicenow"

UNKNOWN_GROUP: Final = ("unknown-group", "Unknown group")
"""Where a ticket is while the file does not know its group any more: leaving and entering it are handovers."""

_UNKNOWN_CALLER: Final = "unknown-caller"
_PLAIN_STATES: Final = frozenset({"New", "Active"})
"""Their category says as much as a label would."""


def history(number: str, rows: Sequence[Row]) -> History:
    """The past of one incident.

    Args:
        number: of the incident; becomes the ticket's `external_id`.
        rows: its snapshots in the order of the file, at least one.

    Returns:
        Commands whose `occurred_at` never goes back within either list, and whose keys stay the same when the file
        is read again.
    """
    return _Incident(number, rows).told()


class _Incident:
    """One incident while it is retold."""

    def __init__(self, number: str, rows: Sequence[Row]) -> None:
        self._rows = rows
        self._number = number
        self._which = Which(number)
        self._at = rows[0].opened_at or rows[0].updated_at
        self._row = rows[0]
        self._place = 0
        self._priority = rows[0].priority or Priority.NORMAL
        self._ends = dict(_ends(rows))
        # A ticket cannot begin ended: until its first row it is new.
        is_ended = rows[0].has_ended
        self._status = Status(StatusCategory.NEW) if is_ended else _open_status(rows[0])

    def told(self) -> History:
        intake: list[IntakeLine] = [self._open()]
        routing: list[RoutingLine] = list(self._given(None))
        previous: Row | None = None
        for self._place, self._row in enumerate(self._rows):  # noqa: B020  # the row that the helpers speak of
            if previous is not None or self._row.has_ended:
                self._at = max(self._at, self._row.updated_at)
            if previous is not None:
                intake += self._changed(previous)
                routing += self._given(previous)
            intake += self._ended()
            previous = self._row
        return History(self._number, tuple(intake), tuple(routing))

    # What intake is told.

    def _open(self) -> Open:
        row = self._row
        caller = _field(row, "caller_id")
        subject = " / ".join(
            filter(None, (_field(row, name) for name in ("category", "subcategory", "u_symptom")))
        )
        opener = row.opened_by
        return Open(
            **self._stamp("open") | {"actor": UNSET if opener is None else _who(opener)},
            external_id=self._number,
            subject=subject or self._number,
            body=f"Incident {self._number} of ServiceNow.",
            requester=Requester(slug(caller) or caller, caller)
            if caller
            else Requester(_UNKNOWN_CALLER, "Unknown caller"),
            priority=self._priority,
            category=self._status.category,
            label=self._status.label,
            ticket_type="incident",
            fields={
                name: value
                for name, value in zip(FIELD_NAMES, row.fields, strict=True)
                if value is not None
            },
        )

    def _changed(self, previous: Row) -> Iterator[IntakeLine]:
        """Everything but the ends."""
        row = self._row
        is_back = previous.has_ended and not row.has_ended
        wanted = _open_status(row) if not row.has_ended or self._is_only_labelled() else None
        if is_back:
            assert wanted is not None
            reopened_as = (
                StatusCategory.OPEN if wanted.category is StatusCategory.NEW else wanted.category
            )
            yield Reopen(
                **self._stamp("reopen"),
                ticket=self._which,
                category=reopened_as,
                reason=f"{previous.state} → {row.state}",
            )
            self._status = Status(reopened_as)
        if wanted is not None and wanted.category is StatusCategory.NEW:
            # A ticket that somebody has looked at is never new again; the label keeps the file's word.
            wanted = self._status if self._status == wanted else Status(StatusCategory.OPEN, "New")
        changes = self._changes(previous)
        if wanted is not None and wanted != self._status:
            changes["status"] = self._status = wanted
        if changes:
            yield Patch(**self._stamp("patch"), ticket=self._which, **changes)

    def _changes(self, previous: Row) -> dict[str, Any]:
        changes: dict[str, Any] = {}
        if self._row.priority is not None and self._row.priority is not self._priority:
            changes["priority"] = self._priority = self._row.priority
        if self._row.fields != previous.fields:
            changes["fields"] = {
                name: value
                for name, value, before in zip(
                    FIELD_NAMES, self._row.fields, previous.fields, strict=True
                )
                if value != before
            }
        return changes

    def _is_only_labelled(self) -> bool:
        """A Resolved row that ends nothing, neither by itself nor by one before it in its spell."""
        return self._row.state == RESOLVED and self._ends.get(self._place) == _NOT_YET

    def _ended(self) -> Iterator[IntakeLine]:
        row = self._row
        if self._place == 0 and self._is_only_labelled():
            self._status = _open_status(row)
            yield Patch(**self._stamp("patch"), ticket=self._which, status=self._status)
        match self._ends.get(self._place):
            case "resolve":
                yield Resolve(
                    **self._stamp("resolve"),
                    ticket=self._which,
                    summary=f"Resolved by {row.resolved_by.removeprefix('Resolved by ')}."
                    if row.resolved_by
                    else "Resolved.",
                    code=row.closed_code or UNSET,
                )
            case "close":
                reason = row.closed_code if row.state == CLOSED else RESOLVED
                yield Close(**self._stamp("close"), ticket=self._which, reason=reason or UNSET)
            case _:
                pass

    def _stamp(self, operation: str) -> dict[str, Any]:
        who = self._row.updated_by
        return {
            "key": self._key(operation),
            "via": Channel.IMPORT,
            "occurred_at": self._at,
            "actor": UNSET if who is None else _who(who),
        }

    # What routing is told.

    def _given(self, previous: Row | None) -> Iterator[RoutingLine]:
        row = self._row
        if row.group != (previous.group if previous else None):
            name = row.group
            group_id, group_name = UNKNOWN_GROUP if name is None else (slug(name), name)
            yield ToGroup(
                **self._mark("group"),
                group_id=group_id,
                group_name=group_name,
            )
        if row.assignee != (previous.assignee if previous else None):
            if row.assignee is None:
                yield Unassign(**self._mark("unassign"))
            else:
                yield Assign(
                    **self._mark("assign"), agent_id=slug(row.assignee), agent_name=row.assignee
                )

    def _mark(self, operation: str) -> dict[str, Any]:
        return {
            "key": self._key(operation),
            "ticket": self._which,
            "occurred_at": self._at,
        }

    def _key(self, operation: str) -> str:
        return f"{SYSTEM}:{self._number}:{self._place}:{operation}"


_NOT_YET: Final = "not yet"


def _ends(rows: Sequence[Row]) -> Iterator[tuple[int, str]]:
    """Which rows end the ticket, and how; a row of Resolved that ends nothing yet is `_NOT_YET`."""
    spells = [
        (state, [place for place, _ in spell])
        for state, spell in groupby(enumerate(rows), key=lambda entry: entry[1].state)
    ]
    last = {state: number for number, (state, _) in enumerate(spells)}
    for number, (state, places) in enumerate(spells):
        if state not in {RESOLVED, CLOSED}:
            continue
        following = spells[number + 1][0] if number + 1 < len(spells) else None
        is_stepped_back_from = following in OPEN_STATES
        known = rows[0].resolved_at if state == RESOLVED else rows[0].closed_at
        if state == CLOSED:
            if (
                following != RESOLVED
            ):  # else it was taken back to where it had been, without being reopened
                yield _end_of(rows, places, known if number == last[state] else None), "close"
            continue
        if known is None and not is_stepped_back_from:
            yield from ((place, _NOT_YET) for place in places)
            continue
        end = _end_of(rows, places, known if number == last[state] else None)
        yield from ((place, _NOT_YET) for place in places if place < end)
        yield end, "close" if known is None else "resolve"


def _end_of(rows: Sequence[Row], places: Sequence[int], final: datetime | None) -> int:
    """The first row of the spell at or after the final moment; the last one when all are before it."""
    if final is None:
        return places[0]
    return next((place for place in places if rows[place].updated_at >= final), places[-1])


def _open_status(row: Row) -> Status:
    """Where an open ticket stands in this state."""
    if row.state == RESOLVED:
        return Status(StatusCategory.ANSWERED, RESOLVED)
    label: str | UnsetType = UNSET if row.state in _PLAIN_STATES else row.state
    return Status(OPEN_STATES[row.state], label)


def _field(row: Row, name: str) -> str:
    value = row.fields[FIELD_NAMES.index(name)]
    return value if isinstance(value, str) else ""


def _who(name: str) -> Who:
    return Who(ActorKind.AGENT, slug(name) or name, name)
