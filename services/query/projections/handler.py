"""A batch of events into all tables: fold per ticket in memory, then one statement a table, one transaction."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Any, Final, LiteralString, cast
from uuid import UUID

import msgspec
import psycopg
from msgspec.structs import astuple
from psycopg.rows import DictRow
from psycopg.sql import SQL, Identifier

from services.query.projections import assignments, tickets
from services.query.projections.contacts import write_contact
from services.query.projections.groups import Group
from services.query.projections.merging import Merging, Owner
from services.query.projections.oncall import write_oncall
from services.query.projections.organisation import Organisation
from services.query.projections.promises import Cycle, PromiseFacts, Promises
from services.query.projections.recent import Recent, V
from services.query.projections.tables import Table, as_json
from services.query.projections.timeline import copy_timeline
from services.query.projections.writes import Writes
from shared.database import Transaction
from shared.events import Event
from shared.events.assignments import AssignmentEvent
from shared.events.sla import SlaEvent
from shared.events.tickets import TicketEvent
from shared.messaging.records import Received
from shared.topics import Topic

REMEMBERED_TICKETS_MAX: Final = 8_000
"""Per topic; about 7 kB a ticket in all three, so at most some 55 MB of the service's 300 MB."""

_TICKETS: Final = Merging(
    "tickets",
    key="ticket_id",
    owners=(
        Owner(tickets.TicketFacts, version="version"),
        Owner(assignments.RoutingFacts, version="routing_version"),
        Owner(PromiseFacts, version="sla_version"),
    ),
)
_TICKET_TOPICS: Final = (Topic.TICKETS, Topic.ASSIGNMENTS, Topic.SLA)
_CYCLES: Final = Table("sla_cycles", Cycle.__struct_fields__, key=("ticket_id", "metric", "cycle"))
# What is rare is written by itself.
_ONE_BY_ONE: Final = (
    (Group.ONCALL, (Topic.POLICIES, Topic.SLA), write_oncall),
    (Group.CONTACTS, (Topic.CONTACTS,), write_contact),
)

# A switch leaves what is remembered here behind: it was folded into tables that are no longer read.
_GENERATION: Final = (
    "SELECT coalesce(sum(number), 0)::int AS number FROM generations WHERE state = 'live'"
)

_FRESHNESS: Final = """
INSERT INTO freshness AS f (topic, partition, last_offset, last_recorded_at, applied_at, event_count)
SELECT topic, partition, last_offset, last_recorded_at, clock_timestamp(), event_count
FROM json_populate_recordset(NULL::freshness, %s::json)
ON CONFLICT (topic, partition) DO UPDATE
SET last_offset = GREATEST(f.last_offset, EXCLUDED.last_offset),
    last_recorded_at = GREATEST(f.last_recorded_at, EXCLUDED.last_recorded_at),
    applied_at = EXCLUDED.applied_at,
    event_count = f.event_count + EXCLUDED.event_count
"""


_Stream = dict[int, list[Event]]
"""By the number of the stream's UUID, which is hashed and compared without running Python."""

_Streams = dict[Topic, _Stream]


class _Routing(msgspec.Struct):
    """Routing facts under the name that `Recent` asks for."""

    facts: assignments.RoutingFacts

    @property
    def version(self) -> int:
        return self.facts.routing_version


class Projections:
    """The handler of this service's consumer; one per consumer, called by one thread for each of its lanes.

    Args:
        groups: only the tables of these; a new generation of one group is built beside the live tables.
    """

    def __init__(self, groups: Collection[Group] = tuple(Group)) -> None:
        self._groups = frozenset(groups)
        self._generation: int | None = None
        self._forget()

    def _forget(self) -> None:
        self._tickets: Recent[tickets.TicketFacts] = Recent(size_max=REMEMBERED_TICKETS_MAX)
        self._routing: Recent[_Routing] = Recent(size_max=REMEMBERED_TICKETS_MAX)
        self._promises: Recent[Promises] = Recent(size_max=REMEMBERED_TICKETS_MAX)

    def __call__(self, tx: Transaction, batch: Sequence[Received]) -> None:
        """Apply a batch; every event in it is new, and in order within its stream."""
        cursor = tx.cursor
        self._notice_switch(cursor)
        streams: _Streams = {topic: {} for topic in Topic}
        for received in batch:
            event = received.event
            streams[received.topic].setdefault(event.stream_id.int, []).append(event)
        remember = self._write_tickets(cursor, streams) if Group.TICKETS in self._groups else None
        if Group.ORGANISATION in self._groups:
            _write_organisation(cursor, streams)
        for group, topics, write in _ONE_BY_ONE:
            for event in _of(streams, *topics) if group in self._groups else ():
                write(cursor, event)
        if Group.TIMELINE in self._groups:
            copy_timeline(cursor, batch)
        if self._groups == frozenset(Group):
            cursor.execute(_FRESHNESS, (as_json(_progress(batch)),))
        # Only now: an event that PostgreSQL refuses may be discarded, and must then be in no fold.
        if remember is not None:
            remember()

    def _write_tickets(
        self, cursor: psycopg.Cursor[DictRow], streams: _Streams
    ) -> Callable[[], None]:
        """Fold and write; the answer is to be called when the batch is written whole."""
        writes = Writes()
        told = self._fold_tickets(cursor, streams[Topic.TICKETS], writes)
        routed = self._fold_routing(cursor, streams[Topic.ASSIGNMENTS], writes)
        promised = self._fold_promises(cursor, streams[Topic.SLA])
        _TICKETS.write(
            cursor,
            told,
            {ticket: entry.facts for ticket, entry in routed.items()},
            {ticket: promises.facts for ticket, promises in promised.items()},
            begun=_begun(streams),
        )
        writes.flush(cursor)

        def remember() -> None:
            for ticket, facts in told.items():
                self._tickets.put(ticket, facts)
            for ticket, entry in routed.items():
                self._routing.put(ticket, entry)
            for ticket, promises in promised.items():
                self._promises.put(ticket, promises)

        return remember

    def _notice_switch(self, cursor: psycopg.Cursor[DictRow]) -> None:
        """One look a batch; no switch comes between it and the batch's end, for it waits for our position."""
        row = cursor.execute(_GENERATION).fetchone()
        generation = row["number"] if row else 0
        if generation != self._generation:
            self._forget()
            self._generation = generation

    def _fold_tickets(
        self, cursor: psycopg.Cursor[DictRow], streams: _Stream, writes: Writes
    ) -> dict[int, tickets.TicketFacts]:
        folded, missing = _remembered(self._tickets, streams)
        for row in _load(cursor, _LOAD_TICKETS, missing):
            folded[row["ticket_id"].int] = msgspec.convert(row, tickets.TicketFacts)
        told = {}
        for ticket in sorted(streams):
            events = streams[ticket]
            facts = folded.get(ticket) or tickets.TicketFacts(ticket_id=events[0].stream_id)
            for event in events:
                tickets.fold(facts, cast(TicketEvent, event), writes)
            told[ticket] = facts
        return told

    def _fold_routing(
        self, cursor: psycopg.Cursor[DictRow], streams: _Stream, writes: Writes
    ) -> dict[int, _Routing]:
        folded, missing = _remembered(self._routing, streams)
        for row in _load(cursor, _LOAD_ROUTING, missing):
            folded[row["ticket_id"].int] = _Routing(msgspec.convert(row, assignments.RoutingFacts))
        routed = {}
        for ticket in sorted(streams):
            events = streams[ticket]
            entry = folded.get(ticket) or _Routing(
                assignments.RoutingFacts(ticket_id=events[0].stream_id)
            )
            for event in events:
                assignments.fold(entry.facts, cast(AssignmentEvent, event), writes)
            routed[ticket] = entry
        return routed

    def _fold_promises(
        self, cursor: psycopg.Cursor[DictRow], streams: _Stream
    ) -> dict[int, Promises]:
        folded, missing = _remembered(self._promises, streams)
        if missing:
            cycles: dict[UUID, list[Cycle]] = {}
            for row in _load(cursor, _LOAD_CYCLES, missing):
                cycles.setdefault(row["ticket_id"], []).append(msgspec.convert(row, Cycle))
            for row in _load(cursor, _LOAD_PROMISES, missing):
                ticket_id = row["ticket_id"]
                facts = msgspec.convert(row, PromiseFacts)
                folded[ticket_id.int] = Promises(facts, cycles.get(ticket_id, []))
        promised = {}
        for ticket in sorted(streams):
            events = streams[ticket]
            promises = folded.get(ticket) or Promises(
                PromiseFacts(ticket_id=events[0].stream_id), []
            )
            for event in events:
                promises.fold(cast(SlaEvent, event))
            promises.summarise()
            promised[ticket] = promises
        moved = [promises.take_changed() for promises in promised.values()]
        _CYCLES.copy(cursor, [astuple(cycle) for begun, _ in moved for cycle in begun])
        _CYCLES.update(cursor, [cycle for _, changed in moved for cycle in changed])
        return promised


def _remembered(recent: Recent[V], streams: _Stream) -> tuple[dict[int, V], list[UUID]]:
    """The folds that the next events need, as far as they are here; and the tickets whose rows have to be read."""
    folded: dict[int, V] = {}
    missing: list[UUID] = []
    for ticket, events in streams.items():
        first = events[0].version
        if (fold := recent.take(ticket, before=first)) is not None:
            folded[ticket] = fold
        elif first > 1:
            missing.append(events[0].stream_id)
    return folded, missing


def _begun(streams: _Streams) -> set[int]:
    """Tickets of which every owner begins to tell in this batch, so that they have no row yet; of some only."""
    first, *others = (streams[topic] for topic in _TICKET_TOPICS)
    return {
        ticket
        for ticket, events in first.items()
        if events[0].version == 1
        and all(ticket in other and other[ticket][0].version == 1 for other in others)
    }


def _of(streams: _Streams, *topics: Topic) -> Iterator[Event]:
    """The events of these topics, in order within each stream."""
    for topic in topics:
        for events in streams[topic].values():
            yield from events


def _write_organisation(cursor: psycopg.Cursor[DictRow], streams: _Streams) -> None:
    organisation = Organisation()
    for event in _of(streams, Topic.AGENTS, Topic.POLICIES, Topic.CONFIGURATION):
        organisation.fold(event)
    organisation.flush(cursor)


def _load(
    cursor: psycopg.Cursor[DictRow], statement: bytes, ticket_ids: list[UUID]
) -> Iterable[DictRow]:
    """The rows of these tickets as they are now; one process at a time folds a stream, so none is locked."""
    return cursor.execute(statement, (ticket_ids,)).fetchall() if ticket_ids else ()


def _select(table: str, struct: type[msgspec.Struct], *, where: LiteralString) -> bytes:
    columns = SQL(", ").join(map(Identifier, struct.__struct_fields__))
    statement = SQL("SELECT {} FROM {} WHERE ticket_id = ANY(%s) AND {}")
    return statement.format(columns, Identifier(table), SQL(where)).as_bytes()


_LOAD_TICKETS: Final = _select("tickets", tickets.TicketFacts, where="version > 0")
_LOAD_ROUTING: Final = _select("tickets", assignments.RoutingFacts, where="routing_version > 0")
_LOAD_PROMISES: Final = _select("tickets", PromiseFacts, where="sla_version > 0")
_LOAD_CYCLES: Final = _select("sla_cycles", Cycle, where="true")


def _progress(batch: Sequence[Received]) -> list[dict[str, Any]]:
    """Per partition: how far, and how new the newest event of it is."""
    parts: dict[tuple[Topic, int], list[Received]] = {}
    for received in batch:
        parts.setdefault((received.topic, received.partition), []).append(received)
    return [
        {
            "topic": topic,
            "partition": partition,
            "last_offset": max(received.offset for received in part),
            "last_recorded_at": max(received.event.recorded_at for received in part),
            "event_count": len(part),
        }
        for (topic, partition), part in sorted(parts.items(), key=itemgetter(0))
    ]
