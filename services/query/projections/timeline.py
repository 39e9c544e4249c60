"""Every event as a row of the timeline: half of what a batch writes, so its lines of COPY are made by hand."""

import re
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import msgspec
import psycopg
from psycopg.rows import DictRow

from services.query.changes import changes_of
from services.query.projections.tables import as_json
from shared.events.triage import TriageRequested
from shared.messaging.records import Received
from shared.topics import Topic

_TICKET_TOPICS: Final = frozenset({Topic.TICKETS, Topic.ASSIGNMENTS, Topic.SLA})
_COPY: Final = (
    "COPY timeline (stream_id, topic, version, ticket_id, type, occurred_at, recorded_at, actor_kind, actor_id,"
    " actor_name, via, correlation_id, causation_id, changes, raw) FROM STDIN"
)
_encode: Final = msgspec.json.Encoder().encode
_NULL: Final = "\\N"
_SPECIAL: Final = re.compile(r"[\\\x00-\x1f]")
_ESCAPES: Final = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\x00": "\ufffd"}


def copy_timeline(cursor: psycopg.Cursor[DictRow], batch: Sequence[Received]) -> None:
    """Append the events of a batch, each once."""
    lines = "".join(map(line_of, batch))
    with cursor.copy(_COPY) as copy:
        copy.write(lines.encode())


def line_of(received: Received) -> str:
    """A line of COPY in text format."""
    event, actor, topic = received.event, received.event.actor, received.topic
    changes = changes_of(event)
    # All three at once: written one by one they cost as much as the rest of the line.
    written = _encode((event.stream_id, event.occurred_at, event.recorded_at))
    stream_id, occurred_at, recorded_at = written[2:-2].decode().split('","')
    return (
        f"{stream_id}\t{topic}\t{event.version}\t{_ticket_of(event, topic, stream_id)}\t{event.wire_type}"
        f"\t{occurred_at}\t{recorded_at}\t{actor.kind}\t{_text(actor.id)}\t{_text(actor.name)}\t{event.via}"
        f"\t{_text(event.correlation_id)}\t{_text(event.causation_id)}"
        f"\t{_text(as_json(changes)) if changes else '{}'}\t{_text(received.raw.decode())}\n"
    )


def _ticket_of(event: Any, topic: Topic, stream_id: str) -> str | UUID:
    """The ticket on whose timeline it stands; none for what is about people and promises in general."""
    if topic in _TICKET_TOPICS:
        return stream_id
    return event.ticket_id if isinstance(event, TriageRequested) else _NULL


def _text(value: str | None) -> str:
    if value is None:
        return _NULL
    if "\\" in value or not value.isprintable():
        return _SPECIAL.sub(_escaped, value)
    return value


def _escaped(found: re.Match[str]) -> str:
    return _ESCAPES.get(found[0], found[0])
