"""Which sinks there are: documents in the database, every version kept, the newest in force."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import msgspec
from psycopg.types.json import Jsonb

from services.sla.alerts.documents import SECRETS, AnySink, read_sink
from services.sla.alerts.kind import SinkDocument
from services.sla.alerts.notice import Action, Alert
from services.sla.alerts.sink import Sink
from shared.database import Transaction
from shared.errors import Conflict, Invalid, NotFound, Refused
from shared.events.base import Channel
from shared.events.policies import AlertSinkDefined
from shared.eventstore import EventTransaction
from shared.http.origin import Origin
from shared.identifiers import is_slug
from shared.observability.correlation import new_correlation_id
from shared.security import Principal, Role

Source = Literal["api", "file"]

_FILE: Final = Principal(id="settings file", role=Role.SERVICE)
"""Who speaks when a settings file is put in force."""


class FixedSink(Refused):
    """The sink is defined by a settings file or a variable, and changes there."""


class SinkDefined(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a sink. It holds no secret: only where each is kept."""

    id: str
    version: int
    definition: dict[str, Any]
    source: Source
    recorded_at: datetime
    recorded_by: str


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """What the outbox needs to know of a sink."""

    name: str
    actions: frozenset[Action]
    document: SinkDocument = SinkDocument()

    def wants(self, action: Action, alert: Alert) -> bool:
        """Whether a new alert is addressed to this sink."""
        return action in self.actions and self.document.wants(alert)

    def follows(self, action: Action) -> bool:
        """Whether it is told what becomes of the alerts it got; a disabled one once it is enabled."""
        return action in self.actions


def routes(tx: Transaction, sinks: Sequence[Sink]) -> list[Route]:
    """Sinks of the environment, and those of documents as they are in this very transaction."""
    fixed = [Route(name=sink.name, actions=sink.actions) for sink in sinks]
    names = {route.name for route in fixed}
    return fixed + [route_of(defined) for defined in current(tx) if defined.id not in names]


def route_of(defined: SinkDefined) -> Route:
    """The routing of one document."""
    sink = read_sink(defined.definition)
    return Route(name=defined.id, actions=sink.actions, document=sink)


def define(
    tx: EventTransaction[Any],
    sink_id: str,
    document: Mapping[str, Any],
    *,
    origin: Origin,
    reserved: frozenset[str],
    source: Source = "api",
    expected: int | None = None,
) -> SinkDefined:
    """Make or change a sink; the same again changes nothing.

    Raises:
        Invalid: naming the wrong fields.
        FixedSink: it is defined elsewhere.
        Conflict: the sink has another version than `expected`.
    """
    if not is_slug(sink_id):
        raise Invalid.of(
            "sink_id",
            "must be 1-64 of a-z, 0-9, dot, dash and underscore, beginning with a letter or digit",
        )
    if sink_id in reserved:
        raise FixedSink(
            f"The sink {sink_id} is defined by the service's environment.", field="sink_id"
        )
    # One definer at a time: versions are counted.
    tx.cursor.execute("SELECT pg_advisory_xact_lock(hashtext('alert-sink-documents'))")
    known = find(tx, sink_id)
    if known is not None and source == "api" and known.source == "file":
        raise FixedSink(f"The sink {sink_id} is defined by the settings file.", field="sink_id")
    version = known.version if known is not None else 0
    if expected is not None and expected != version:
        raise Conflict(
            f"The sink {sink_id} has version {version}, not {expected}.", field="header If-Match"
        )
    definition = {key: value for key, value in document.items() if key not in {"id", "version"}}
    read_sink(definition)
    if known is not None and known.definition == definition and known.source == source:
        return known
    tx.append(
        AlertSinkDefined(
            **origin.stamp(version + 1, tx.now, tx.now),
            sink_id=sink_id,
            definition=_told(definition),
            previous=_told(known.definition) if known is not None else None,
            source=source,
        )
    )
    tx.cursor.execute(
        "INSERT INTO sink_versions (sink_id, version, definition, source, recorded_at, recorded_by)"
        " VALUES (%s, %s, %s, %s, %s, %s)",
        (sink_id, version + 1, Jsonb(definition), source, tx.now, origin.actor.id),
    )
    return SinkDefined(
        id=sink_id,
        version=version + 1,
        definition=definition,
        source=source,
        recorded_at=tx.now,
        recorded_by=origin.actor.id,
    )


def take_over(
    tx: EventTransaction[Any],
    documents: Mapping[str, Mapping[str, Any]],
    *,
    reserved: frozenset[str],
) -> None:
    """Put a settings file in force; a sink that is no longer in it is disabled, its log stays.

    Raises:
        Refused: naming the sink and field that cannot be accepted.
    """
    gone = {
        defined.id: {**defined.definition, "enabled": False}
        for defined in current(tx)
        if defined.source == "file" and defined.id not in documents
    }
    origin = Origin(_FILE.actor, Channel.SYSTEM, new_correlation_id(), _FILE)
    for sink_id, document in {**documents, **gone}.items():
        define(tx, sink_id, document, origin=origin, reserved=reserved, source="file")


def current(tx: Transaction) -> list[SinkDefined]:
    """The newest version of each, by id."""
    tx.cursor.execute(
        "SELECT DISTINCT ON (sink_id) sink_id AS id, version, definition, source, recorded_at,"
        " recorded_by FROM sink_versions ORDER BY sink_id, version DESC"
    )
    return [msgspec.convert(row, SinkDefined) for row in tx.cursor.fetchall()]


def find(tx: Transaction, sink_id: str, version: int | None = None) -> SinkDefined | None:
    """One version, the newest without `version`."""
    tx.cursor.execute(
        "SELECT sink_id AS id, version, definition, source, recorded_at, recorded_by"
        " FROM sink_versions WHERE sink_id = %s AND (%s::int IS NULL OR version = %s)"
        " ORDER BY version DESC LIMIT 1",
        (sink_id, version, version),
    )
    row = tx.cursor.fetchone()
    return None if row is None else msgspec.convert(row, SinkDefined)


def get(tx: Transaction, sink_id: str, version: int | None = None) -> SinkDefined:
    """The same, for callers who name it.

    Raises:
        NotFound: there is none.
    """
    found = find(tx, sink_id, version)
    if found is None:
        which = f" version {version}" if version is not None else ""
        raise NotFound(f"There is no sink {sink_id}{which}.", field="sink_id")
    return found


def _told(definition: Mapping[str, Any]) -> dict[str, Any]:
    """The document as everybody may read it: of each URL the origin."""
    return {name: _origin(value) for name, value in definition.items()}


def _origin(value: Any) -> Any:
    if not isinstance(value, str) or "://" not in value:
        return value
    parts = urlsplit(value)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/…"


def references(sink: AnySink) -> list[str]:
    """Where its secrets are kept."""
    values = (getattr(sink, field) for field in SECRETS[type(sink)])
    return [value for value in values if value is not None]
