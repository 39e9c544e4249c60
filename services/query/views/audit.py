"""The audit: every event of every topic, newest first, by person, ticket, field, kind, time and words."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import UUID

import msgspec
import psycopg
from psycopg.rows import DictRow
from psycopg.sql import SQL, Composed

from services.query.changes import changes_of
from services.query.views.pools import Pool
from services.query.views.told import sentence
from shared.errors import Refused
from shared.events import UnknownEvent, decode
from shared.events.base import Owner
from shared.events.operations import operations_stream
from shared.events.readings import readings_stream
from shared.http import cursor
from shared.topics import OWNERS, Topic

LIMIT_MAX: Final = 200
"""Entries of a page; one with its contents is some 2 kB."""

READS: Final = "reads.v1"
"""Stands for the topic of query's own records (readings, exports, subscriptions), which are in no Kafka."""

_SECONDS_MAX: Final = 5
"""A search through more than can be read in so long is refused, with the advice to narrow it."""


class TooWide(Refused):
    """The question would read too much of the log."""

    status = 422
    title = "Too wide a question"


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which events; everything that is given must hold.

    `field`: one that the event changed (`priority`, `fields.product` …). `type`: a wire type, or its beginning up to
    a dot (`sla`). `since` is inclusive, `until` exclusive, both by `recorded_at`. `q`: text anywhere in the event.
    """

    actor: str | None = None
    ticket_id: UUID | None = None
    field: str | None = None
    type: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    q: str | None = None
    correlation: str | None = None


_TESTS: Final[dict[str, LiteralString]] = {
    "actor": "e.actor_id = %(actor)s",
    "ticket_id": "e.stream_id = ANY(%(streams)s)",
    # In the words of the indexes `timeline_changed` and `reads_changed`.
    "field": "e.changes <> '{}' AND jsonb_path_query_array(e.changes, '$.keyvalue().key') ? %(field)s"
    " AND (e.topic <> 'reads.v1' OR e.type IN ('report_subscription.changed.v1', 'query_operation.recorded.v1'))",
    "type": "(e.type = %(type)s OR e.type LIKE %(type_prefix)s)",
    "since": "e.recorded_at >= %(since)s",
    "until": "e.recorded_at < %(until)s",
    "q": "e.raw::text ILIKE %(q_pattern)s",
    "correlation": "e.correlation_id = %(correlation)s",
}
_COLUMNS: Final[LiteralString] = """
    e.stream_id, e.topic, e.version, e.ticket_id, e.type, e.occurred_at, e.recorded_at, e.actor_kind, e.actor_id,
    e.actor_name, e.via, e.correlation_id, e.causation_id, e.changes, e.raw
"""
_NEWEST_COUNT: Final = 20_000
"""Events among which a field that changes often is found: a walk of some 20 ms."""

_NEWEST: Final[LiteralString] = """
SELECT recorded_at FROM timeline WHERE recorded_at <= coalesce(%(before)s::timestamptz, 'infinity')
ORDER BY recorded_at DESC OFFSET %(count)s LIMIT 1
"""
_LINKS: Final[LiteralString] = """
SELECT e.stream_id, e.topic, e.version, e.type, e.actor_id, e.actor_name, e.causation_id, e.raw
FROM timeline AS e
JOIN (
    SELECT DISTINCT * FROM unnest(%(streams)s::uuid[], %(topics)s::text[], %(versions)s::bigint[])
) AS cause (id, topic, version)
    ON e.stream_id = cause.id AND e.topic = cause.topic AND e.version = cause.version
UNION ALL
SELECT e.stream_id, e.topic, e.version, e.type, e.actor_id, e.actor_name, e.causation_id, e.raw
FROM timeline AS e
WHERE e.stream_id = ANY(%(effects)s) AND e.causation_id = ANY(%(causes)s)
UNION ALL
SELECT e.stream_id, e.topic, e.version, e.type, e.actor_id, e.actor_name, e.causation_id, e.raw
FROM timeline AS e
WHERE e.causation_id = ANY(%(causes)s) AND position(e.stream_id::text IN e.causation_id) = 0
"""
"""The causes of a page; what it led to in the same streams, and in others (index `timeline_cause`)."""


async def audit(
    pool: Pool, wanted: AuditFilter, *, limit: int = 50, after: str | None = None
) -> dict[str, Any]:
    """One page, newest first. Only for supervisors and admins: it tells addresses.

    Raises:
        Invalid: `after` is not a cursor of this very question.
        TooWide: it would take longer than is allowed.
    """
    name = _scope_of(wanted)
    conditions, values = _conditions(wanted)
    if after is not None:
        at, stream_id, topic, version = cursor.decode(
            after, tuple[datetime, UUID, str, int], scope=name
        )
        conditions.append(
            SQL(
                "e.recorded_at <= %(at)s AND (e.recorded_at, e.stream_id, e.topic, e.version)"
                " < (%(at)s, %(stream_id)s, %(topic)s, %(version)s)"
            )
        )
        values |= {"at": at, "stream_id": stream_id, "topic": topic, "version": version}
    async with pool.connection() as connection, connection.transaction():
        if wanted.ticket_id is not None:
            values["streams"] = await streams_of(connection, wanted.ticket_id)
        rows = await _found(connection, wanted, conditions, {**values, "limit": limit + 1})
        page = rows[:limit]
        links = await links_of(connection, page)
    following = None
    if len(rows) > limit:
        last = page[-1]
        key = (last["recorded_at"], last["stream_id"], last["topic"], last["version"])
        following = cursor.encode(key, scope=name)
    return {"events": [entry(row, links) for row in page], "next": following}


async def streams_of(connection: psycopg.AsyncConnection[DictRow], ticket_id: UUID) -> list[UUID]:
    """The ticket's own stream, of who fetched its files, of what operators did, and of wishes about it (triage)."""
    found = await connection.execute(
        "SELECT DISTINCT stream_id FROM timeline WHERE ticket_id = %s AND ticket_id <> stream_id",
        (ticket_id,),
    )
    return [
        ticket_id,
        readings_stream(ticket_id),
        *(operations_stream(owner, ticket_id) for owner in Owner),
        *(row["stream_id"] for row in await found.fetchall()),
    ]


def entry(row: dict[str, Any], links: "Links") -> dict[str, Any]:
    """An event as it is told: who, what, from which address, old and new, because of what, and what came of it."""
    id_ = _event_id(row)
    raw = row["raw"]
    ticket_id, number = row["ticket_id"], row["number"]
    if ticket_id is None and raw.get("ticket_id"):
        # On no ticket's timeline (who fetched its files, what operators did); it says itself which it is about.
        ticket_id, number = UUID(raw["ticket_id"]), raw.get("number")
    return {
        "event_id": id_,
        "topic": row["topic"],
        "stream_id": row["stream_id"],
        "ticket_id": ticket_id,
        "ticket_number": number,
        "version": row["version"],
        "type": row["type"],
        "occurred_at": row["occurred_at"],
        "recorded_at": row["recorded_at"],
        "actor": {
            "kind": row["actor_kind"],
            "id": row["actor_id"],
            "name": row["actor_name"],
            "ip": raw["actor"].get("ip"),
        },
        "channel": row["via"],
        "sentence": _sentence(row),
        "changes": [
            {"field": field, "old": old, "new": new} for field, (old, new) in _changes(row).items()
        ],
        "correlation_id": row["correlation_id"],
        "causation_id": row["causation_id"],
        "caused_by": links.causes.get(row["causation_id"] or ""),
        "led_to": links.effects.get(id_, []),
        "data": raw,
    }


class Links(msgspec.Struct):
    """Event id → what made it happen, and what it made happen, each as id, kind and sentence."""

    causes: dict[str, dict[str, Any]]
    effects: dict[str, list[dict[str, Any]]]


async def links_of(
    connection: psycopg.AsyncConnection[DictRow], page: list[dict[str, Any]]
) -> Links:
    """What made these events happen, and what they made happen, in their own streams and in others."""
    causes = [place for row in page for place in _places(row["causation_id"])]
    values = {
        "streams": [stream for stream, _, _ in causes],
        "topics": [topic for _, topic, _ in causes],
        "versions": [version for _, _, version in causes],
        "effects": list({row["stream_id"] for row in page}),
        "causes": [_event_id(row) for row in page],
    }
    found = await (await connection.execute(_LINKS, values)).fetchall()
    links = Links({}, {})
    wanted = {row["causation_id"] for row in page}
    for row in found:
        told = {"event_id": _event_id(row), "type": row["type"], "sentence": _sentence(row)}
        if told["event_id"] in wanted:
            links.causes[told["event_id"]] = told
        effects = links.effects.setdefault(row["causation_id"] or "", [])
        if told not in effects:  # a cause of one may be a consequence of another
            effects.append(told)
    return links


def _places(causation_id: str | None) -> list[tuple[UUID, str, int]]:
    """Where an event with this id may stand: its owner has several topics, and the id does not say which."""
    owner, _, rest = (causation_id or "").partition(":")
    stream, _, version = rest.partition(":")
    try:
        return [
            (UUID(stream), topic.value, int(version))
            for topic, of in OWNERS.items()
            if of.value == owner
        ]
    except ValueError:
        return []


def _changes(row: dict[str, Any]) -> dict[str, Any]:
    """Told from the event itself, which can be proven; the column of the same name is only looked up in."""
    if row["topic"] == READS:
        own: dict[str, Any] = row["raw"].get("changes", {})
        return own
    event = decode(row["type"], msgspec.json.encode(row["raw"]))
    if isinstance(event, UnknownEvent):
        return {}
    told: dict[str, Any] = msgspec.to_builtins(changes_of(event))
    return told


def _event_id(row: dict[str, Any]) -> str:
    owner = "query" if row["topic"] == READS else OWNERS[Topic(row["topic"])]
    return f"{owner}:{row['stream_id']}:{row['version']}"


def _sentence(row: dict[str, Any]) -> str:
    who = row["actor_name"] or row["actor_id"]
    return f"{who} {sentence(row['type'], row['raw'])}"


async def _found(
    connection: psycopg.AsyncConnection[DictRow],
    wanted: AuditFilter,
    conditions: list[Any],
    values: dict[str, Any],
) -> list[dict[str, Any]]:
    """The page and one more.

    What changes often is among the newest events, what changes rarely is found by its name. Nobody knows beforehand
    which of both a field is, the planner least of all when it changes no longer: so the newest are looked at first.
    """
    if wanted.field is None or wanted.ticket_id is not None:
        return await _within_time(connection, _statement(conditions), values)
    newest = await connection.execute(
        _NEWEST, {"before": values.get("at") or wanted.until, "count": _NEWEST_COUNT}
    )
    if floor := await newest.fetchone():
        recent = [*conditions, SQL("e.recorded_at >= %(floor)s")]
        rows = await _within_time(
            connection, _statement(recent), {**values, "floor": floor["recorded_at"]}
        )
        if len(rows) == values["limit"]:
            return rows
    return await _within_time(
        connection, _statement(conditions, order="e.recorded_at + interval '0' DESC"), values
    )


def _statement(conditions: list[Any], *, order: LiteralString = "e.recorded_at DESC") -> Composed:
    """`order`: newest first; said as a sum, it is sorted, and no index in the order of time is walked instead."""
    return SQL(
        "SELECT {columns}, t.number FROM audit_log AS e LEFT JOIN tickets AS t ON t.ticket_id = e.ticket_id"
        " WHERE {conditions} ORDER BY {order}, e.stream_id DESC, e.topic DESC, e.version DESC LIMIT %(limit)s"
    ).format(columns=SQL(_COLUMNS), conditions=SQL(" AND ").join(conditions), order=SQL(order))


async def _within_time(
    connection: psycopg.AsyncConnection[DictRow], statement: Any, values: dict[str, Any]
) -> list[dict[str, Any]]:
    await connection.execute(
        "SELECT set_config('statement_timeout', %s, true)", (f"{_SECONDS_MAX}s",)
    )
    try:
        return await (await connection.execute(statement, values)).fetchall()
    except psycopg.errors.QueryCanceled:
        raise TooWide(
            f"This search takes more than {_SECONDS_MAX} s; give a ticket, a person or a shorter time."
        ) from None


def _conditions(wanted: AuditFilter) -> tuple[list[Any], dict[str, Any]]:
    values = {name: value for name in _TESTS if (value := getattr(wanted, name)) is not None}
    conditions: list[Any] = [SQL("true"), *(SQL(_TESTS[name]) for name in values)]
    if wanted.type is not None:
        values["type_prefix"] = f"{_literal(wanted.type)}.%"
    if wanted.q is not None:
        values["q_pattern"] = f"%{_literal(wanted.q)}%"
    return conditions, values


def _literal(text: str) -> str:
    """Text that LIKE takes at its word."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _scope_of(wanted: AuditFilter) -> str:
    """A cursor belongs to one question."""
    digest = hashlib.blake2b(msgspec.json.encode(wanted), digest_size=8).hexdigest()
    return f"audit:{digest}"
