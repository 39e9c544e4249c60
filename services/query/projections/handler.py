"""A batch of events into all tables: fold per ticket in memory, then one statement a table, one transaction."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Any, Final, LiteralString, cast
from uuid import UUID

import msgspec
import psycopg
from msgspec.structs import astuple
from psycopg.rows import DictRow
from psycopg.sql import SQL, Composed, Identifier

from services.query.projections import assignments, tickets
from services.query.projections.contacts import write_contact
from services.query.projections.groups import Group
from services.query.projections.merging import BY_NUMBER, Merging, Owner
from services.query.projections.oncall import write_oncall
from services.query.projections.organisation import Organisation
from services.query.projections.promises import Cycle, PromiseFacts, Promises
from services.query.projections.recent import Recent
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


_Streams = dict[Topic, dict[UUID, list[Event]]]


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
            streams[received.topic].setdefault(event.stream_id, []).append(event)
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
            {facts.ticket_id: facts for facts in told},
            {entry.facts.ticket_id: entry.facts for entry in routed},
            {promises.facts.ticket_id: promises.facts for promises in promised},
            begun=_begun(streams),
        )
        writes.flush(cursor)

        def remember() -> None:
            for facts in told:
                self._tickets.put(facts.ticket_id, facts)
            for entry in routed:
                self._routing.put(entry.facts.ticket_id, entry)
            for promises in promised:
                self._promises.put(promises.facts.ticket_id, promises)

        return remember

    def _notice_switch(self, cursor: psycopg.Cursor[DictRow]) -> None:
        """One look a batch; no switch comes between it and the batch's end, for it waits for our position."""
        row = cursor.execute(_GENERATION).fetchone()
        generation = row["number"] if row else 0
        if generation != self._generation:
            self._forget()
            self._generation = generation

    def _fold_tickets(
        self,
        cursor: psycopg.Cursor[DictRow],
        streams: dict[UUID, list[Event]],
        writes: Writes,
    ) -> list[tickets.TicketFacts]:
        folded: dict[UUID, tickets.TicketFacts] = {}
        missing: list[UUID] = []
        for ticket_id, events in streams.items():
            facts = self._tickets.take(ticket_id, before=events[0].version)
            if facts is not None:
                folded[ticket_id] = facts
            elif events[0].version > 1:
                missing.append(ticket_id)
        for row in _load(cursor, _LOAD_TICKETS, missing):
            folded[row["ticket_id"]] = msgspec.convert(row, tickets.TicketFacts)
        rows = []
        for ticket_id in sorted(streams, key=BY_NUMBER):
            facts = folded.get(ticket_id) or tickets.TicketFacts(ticket_id=ticket_id)
            for event in streams[ticket_id]:
                tickets.fold(facts, cast(TicketEvent, event), writes)
            rows.append(facts)
        return rows

    def _fold_routing(
        self,
        cursor: psycopg.Cursor[DictRow],
        streams: dict[UUID, list[Event]],
        writes: Writes,
    ) -> list[_Routing]:
        folded: dict[UUID, _Routing] = {}
        missing: list[UUID] = []
        for ticket_id, events in streams.items():
            entry = self._routing.take(ticket_id, before=events[0].version)
            if entry is not None:
                folded[ticket_id] = entry
            elif events[0].version > 1:
                missing.append(ticket_id)
        for row in _load(cursor, _LOAD_ROUTING, missing):
            folded[row["ticket_id"]] = _Routing(msgspec.convert(row, assignments.RoutingFacts))
        entries = []
        for ticket_id in sorted(streams, key=BY_NUMBER):
            entry = folded.get(ticket_id) or _Routing(assignments.RoutingFacts(ticket_id=ticket_id))
            for event in streams[ticket_id]:
                assignments.fold(entry.facts, cast(AssignmentEvent, event), writes)
            entries.append(entry)
        return entries

    def _fold_promises(
        self, cursor: psycopg.Cursor[DictRow], streams: dict[UUID, list[Event]]
    ) -> list[Promises]:
        folded: dict[UUID, Promises] = {}
        missing: list[UUID] = []
        for ticket_id, events in streams.items():
            promises = self._promises.take(ticket_id, before=events[0].version)
            if promises is not None:
                folded[ticket_id] = promises
            elif events[0].version > 1:
                missing.append(ticket_id)
        if missing:
            cycles: dict[UUID, list[Cycle]] = {}
            for row in _load(cursor, _LOAD_CYCLES, missing):
                cycles.setdefault(row["ticket_id"], []).append(msgspec.convert(row, Cycle))
            for row in _load(cursor, _LOAD_PROMISES, missing):
                ticket_id = row["ticket_id"]
                facts = msgspec.convert(row, PromiseFacts)
                folded[ticket_id] = Promises(facts, cycles.get(ticket_id, []))
        entries = []
        for ticket_id in sorted(streams, key=BY_NUMBER):
            promises = folded.get(ticket_id) or Promises(PromiseFacts(ticket_id=ticket_id), [])
            for event in streams[ticket_id]:
                promises.fold(cast(SlaEvent, event))
            promises.summarise()
            entries.append(promises)
        moved = [promises.take_changed() for promises in entries]
        _CYCLES.copy(cursor, [astuple(cycle) for begun, _ in moved for cycle in begun])
        _CYCLES.update(cursor, [cycle for _, changed in moved for cycle in changed])
        return entries


def _begun(streams: _Streams) -> set[UUID]:
    """Tickets of which every owner begins to tell in this batch, so that they have no row yet; of some only."""
    first, *others = (streams[topic] for topic in _TICKET_TOPICS)
    return {
        ticket_id
        for ticket_id, events in first.items()
        if events[0].version == 1
        and all(ticket_id in other and other[ticket_id][0].version == 1 for other in others)
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
    cursor: psycopg.Cursor[DictRow], statement: Composed, ticket_ids: list[UUID]
) -> Iterable[DictRow]:
    """The rows of these tickets as they are now; one process at a time folds a stream, so none is locked."""
    return cursor.execute(statement, (ticket_ids,)).fetchall() if ticket_ids else ()


def _select(table: str, struct: type[msgspec.Struct], *, where: LiteralString) -> Composed:
    columns = SQL(", ").join(map(Identifier, struct.__struct_fields__))
    return SQL("SELECT {} FROM {} WHERE ticket_id = ANY(%s) AND {}").format(
        columns,
        Identifier(table),
        SQL(where),
    )


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
