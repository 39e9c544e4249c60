"""One ticket's whole history as a file that stands by itself: NDJSON for programs, CSV for sheets, PDF for people."""

import asyncio
import csv
import io
from enum import StrEnum
from typing import Any, Final, LiteralString
from uuid import UUID

import msgspec

from services.query.views.audit import entry, links_of, streams_of
from services.query.views.pools import Pool
from shared.errors import Refused
from shared.spreadsheets import harmless

EVENTS_MAX: Final = 20_000
"""Of one ticket; past this the file would not say everything, and is refused."""

_EVENTS: Final[LiteralString] = """
SELECT e.stream_id, e.topic, e.version, e.ticket_id, e.type, e.occurred_at, e.recorded_at, e.actor_kind, e.actor_id,
       e.actor_name, e.via, e.correlation_id, e.causation_id, e.changes, e.raw, t.number, e.raw::text AS stored
FROM audit_log AS e LEFT JOIN tickets AS t ON t.ticket_id = e.ticket_id
WHERE e.stream_id = ANY(%s)
ORDER BY e.occurred_at, array_position(ARRAY['tickets.v1', 'assignments.v1', 'sla.v1'], e.topic), e.version LIMIT %s
"""
_COLUMNS: Final = (
    "event_id", "type", "occurred_at", "recorded_at", "actor_kind", "actor_id", "actor_name", "actor_ip", "channel",
    "sentence", "field", "old", "new", "correlation_id", "causation_id",
)  # fmt: skip


class Format(StrEnum):
    """What the file is."""

    NDJSON = "ndjson"
    CSV = "csv"
    PDF = "pdf"

    @property
    def media_type(self) -> str:
        """Of HTTP."""
        return {
            Format.NDJSON: "application/x-ndjson",
            Format.CSV: "text/csv; charset=utf-8",
            Format.PDF: "application/pdf",
        }[self]


class TooLong(Refused):
    """The history has more events than a file may tell."""

    status = 422
    title = "Too long a history"


async def whole_history(pool: Pool, ticket_id: UUID) -> list[dict[str, Any]]:
    """Every event of the ticket in the order in which it happened, with cause and consequence.

    `stored` is the event's own text, byte for byte.

    Raises:
        TooLong: there are more than `EVENTS_MAX`.
    """
    async with pool.connection() as connection:
        values = (await streams_of(connection, ticket_id), EVENTS_MAX + 1)
        rows = await (await connection.execute(_EVENTS, values)).fetchall()
        if len(rows) > EVENTS_MAX:
            raise TooLong(
                f"This ticket has more than {EVENTS_MAX} events; read them page by page at /v1/audit?ticket=."
            )
        links = await links_of(connection, rows)
    return [entry(row, links) | {"stored": row["stored"]} for row in rows]


async def history_file(
    format_: Format, ticket: dict[str, Any], events: list[dict[str, Any]], *, asked_by: str
) -> bytes:
    """The file's bytes."""
    match format_:
        case Format.NDJSON:
            # The event's own bytes, as they are sealed: so that its hash can be taken from the line.
            return msgspec.json.Encoder().encode_lines(
                [
                    {name: told for name, told in event.items() if name != "stored"}
                    | {"data": msgspec.Raw(event["stored"].encode())}
                    for event in events
                ]
            )
        case Format.CSV:
            return as_csv(events)
        case Format.PDF:
            return await asyncio.to_thread(_as_pdf, ticket, events, asked_by)


def _as_pdf(ticket: dict[str, Any], events: list[dict[str, Any]], asked_by: str) -> bytes:
    # The fonts' library is a third of the service's time to start, and few ever ask for this file.
    from services.query.past.history_pdf import as_pdf  # noqa: PLC0415

    return as_pdf(ticket, events, asked_by=asked_by)


def as_csv(events: list[dict[str, Any]]) -> bytes:
    """A row for each changed field, at least one for each event; nothing in it starts a formula."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(_COLUMNS)
    for event in events:
        actor = event["actor"]
        before = (
            event["event_id"], event["type"], event["occurred_at"].isoformat(), event["recorded_at"].isoformat(),
            actor["kind"], actor["id"], actor["name"], actor["ip"], event["channel"], event["sentence"],
        )  # fmt: skip
        behind = (event["correlation_id"], event["causation_id"])
        for change in event["changes"] or ({"field": None, "old": None, "new": None},):
            values = (change["field"], _plain(change["old"]), _plain(change["new"]))
            writer.writerow(map(_cell, (*before, *values, *behind)))
    return (
        "\N{ZERO WIDTH NO-BREAK SPACE}" + out.getvalue()
    ).encode()  # spreadsheets know UTF-8 by it


def _cell(value: Any) -> str:
    return harmless("" if value is None else str(value))


def _plain(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else msgspec.json.encode(value).decode()
