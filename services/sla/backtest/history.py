"""The log read once more, partition by partition: every ticket's story, without a group and without effects.

Tickets, assignments and promises of one ticket lie in the same partition, so one partition at a time is
all that is in memory.
"""

from collections.abc import AsyncIterator, Callable, Iterable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from services.sla.backtest.stories import Story
from shared.errors import Unreadable
from shared.events import Event, UnknownEvent, assignments, decode, sla, tickets
from shared.messaging.records import read_envelope
from shared.messaging.starting import uncut
from shared.topics import RECORD_BYTES_MAX, Topic

_TOPICS: Final = (Topic.TICKETS, Topic.ASSIGNMENTS, Topic.SLA)
_FETCH_MS: Final = 500
_RECORDS_MAX: Final = 2_000
_CLOCKS_DIFFER_MAX: Final = timedelta(minutes=1)
"""How far a broker's time may be from a service's: an opening is looked for so much earlier."""

_HEARD: Final = frozenset(
    str(kind.__struct_config__.tag)
    for kind in (
        tickets.TicketOpened,
        tickets.CustomerReplied,
        tickets.AgentReplied,
        tickets.StatusChanged,
        tickets.PriorityChanged,
        tickets.TypeChanged,
        tickets.TagsChanged,
        tickets.FieldsChanged,
        tickets.TicketResolved,
        tickets.TicketClosed,
        tickets.TicketReopened,
        tickets.TicketMerged,
        tickets.TicketUnmerged,
        tickets.MergeReceived,
        assignments.GroupChanged,
        assignments.TicketAssigned,
        assignments.TicketUnassigned,
        sla.SlaStarted,
        sla.SlaResumed,
        sla.SlaDueChanged,
        sla.SlaMet,
        sla.SlaCancelled,
        sla.SlaBreached,
        sla.SlaBreachRetracted,
    )
)
"""The others say nothing to the judgement and are not even decoded."""


class History:
    """The log of an installation.

    Args:
        bootstrap_servers: of Kafka.
        prefix: of the installation's topics.
        on_progress: told how many records of how many were read.
        on_unreadable: told of each record that could not be read.
    """

    def __init__(
        self,
        *,
        bootstrap_servers: str,
        prefix: str,
        on_progress: Callable[[int, int], None] = lambda _done, _total: None,
        on_unreadable: Callable[[], None] = lambda: None,
    ) -> None:
        self._servers = bootstrap_servers
        self._prefix = prefix
        self._on_progress = on_progress
        self._on_unreadable = on_unreadable
        self._done = self._total = 0

    async def stories(self, since: datetime, until: datetime) -> AsyncIterator[list[Story]]:
        """Every ticket of which something was recorded since then: a partition's at a time, by id.

        What is published while this reads is left out; of sla's word, what it said after `until`.

        Raises:
            KafkaError: Kafka is away.
            OSError: the topics are not there.
        """
        names = [self._prefix + topic for topic in _TOPICS]
        # Without a group every partition is ours.
        consumer = AIOKafkaConsumer(
            *names,
            bootstrap_servers=self._servers,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=RECORD_BYTES_MAX,
        )
        try:
            await uncut(consumer.start())
            slots = sorted(consumer.assignment())
            if missing := sorted(set(names) - {slot.topic for slot in slots}):
                raise OSError(f"Kafka has no topic {', '.join(missing)}")
            consumer.unsubscribe()  # from here on one partition number at a time
            ends = await consumer.end_offsets(slots)
            at = int((since - _CLOCKS_DIFFER_MAX).timestamp() * 1_000)
            found = await consumer.offsets_for_times(dict.fromkeys(slots, at))
            begins = {
                slot: found[slot].offset if found.get(slot) is not None else ends[slot]
                for slot in slots
            }
            self._total = sum(ends[slot] - begins[slot] for slot in slots)
            for number in sorted({slot.partition for slot in slots}):
                mine = [
                    slot for slot in slots if slot.partition == number and begins[slot] < ends[slot]
                ]
                known: dict[UUID, Story] = {}
                if mine:
                    consumer.assign(mine)
                    for slot in mine:
                        consumer.seek(slot, begins[slot])
                    await self._read(consumer, mine, ends, known, until)
                yield [known[ticket_id] for ticket_id in sorted(known)]
        finally:
            await consumer.stop()

    async def _read(
        self,
        consumer: AIOKafkaConsumer,
        slots: list[TopicPartition],
        ends: dict[TopicPartition, int],
        known: dict[UUID, Story],
        until: datetime,
    ) -> None:
        # Intake's word first and routing's before sla's is not needed: a story takes them in any order.
        while [slot for slot in slots if await consumer.position(slot) < ends[slot]]:
            batches = await consumer.getmany(timeout_ms=_FETCH_MS, max_records=_RECORDS_MAX)
            for slot, records in batches.items():
                kept = [record for record in records if record.offset < ends[slot]]
                self._done += len(kept)
                for event in self._events(kept):
                    if event.OWNER != "sla" or event.occurred_at <= until:
                        story = known.get(event.stream_id)
                        if story is None:
                            story = known[event.stream_id] = Story(event.stream_id)
                        story.hear(event)
            self._on_progress(self._done, self._total)

    def _events(self, records: Iterable[ConsumerRecord]) -> Iterable[Event]:
        for raw in records:
            try:
                record = read_envelope(raw, self._prefix)
                if record.wire_type not in _HEARD:
                    continue
                event = decode(record.wire_type, record.raw)
            except Unreadable:
                self._on_unreadable()
                continue
            if isinstance(event, UnknownEvent):
                self._on_unreadable()
                continue
            yield event
