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
_BETWEEN_TOKENS: Final = str.maketrans({"\n": "\\n", "\r": "\\r", "\t": "\\t"})


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
    told: tuple[str | None, ...] = (
        actor.id, actor.name, event.correlation_id, event.causation_id
    )  # fmt: skip
    if not _is_plain("".join(filter(None, told))):  # all at once, for the same reason
        told = tuple(text and _SPECIAL.sub(_escaped, text) for text in told)
    actor_id, actor_name, correlation_id, causation_id = told
    return (
        f"{stream_id}\t{topic}\t{event.version}\t{_ticket_of(event, topic, stream_id)}\t{event.wire_type}"
        f"\t{occurred_at}\t{recorded_at}\t{actor.kind}\t{actor_id}"
        f"\t{_NULL if actor_name is None else actor_name}\t{event.via}"
        f"\t{_NULL if correlation_id is None else correlation_id}"
        f"\t{_NULL if causation_id is None else causation_id}"
        f"\t{_json(as_json(changes)) if changes else '{}'}\t{_json(received.raw.decode())}\n"
    )


def _ticket_of(event: Any, topic: Topic, stream_id: str) -> str | UUID:
    """The ticket on whose timeline it stands; none for what is about people and promises in general."""
    if topic in _TICKET_TOPICS:
        return stream_id
    return event.ticket_id if isinstance(event, TriageRequested) else _NULL


def _is_plain(text: str) -> bool:
    return text.isprintable() and "\\" not in text


def _json(text: str) -> str:
    """JSON as it is. It holds no control characters but white space between its tokens, so no others are looked for."""
    if "\\" in text:
        text = text.replace("\\", "\\\\")
    if "\n" in text or "\r" in text or "\t" in text:
        text = text.translate(_BETWEEN_TOKENS)
    return text


def _escaped(found: re.Match[str]) -> str:
    return _ESCAPES.get(found[0], found[0])
