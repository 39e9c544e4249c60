"""Topics are made here, with their final number of partitions, and never by auto-creation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError, for_code
from pydantic import Field
from tenacity import retry, retry_if_exception_type, stop_after_delay
from tenacity.wait import wait_fixed

from shared.topics import PARTITIONS, RECORD_BYTES_MAX

_ALREADY_EXISTS: Final = 36
"""Kafka's error code TOPIC_ALREADY_EXISTS: the state we want."""

_METADATA_SECONDS_MAX: Final = 10
"""A topic that exists is known to every broker well within this."""

_IN_SYNC_REPLICAS: Final = {1: 1, 2: 1}
"""With three replicas or more, two must hold a record before it counts as written."""


class TopicRefused(Exception):
    """A topic cannot be made, or its shape would break the order of a ticket's events."""


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """What must exist afterwards: these topics, kept for ever.

    Args:
        names: full names, prefix included.
        partitions: fixed at creation, so that a ticket's events stay in one partition, in order.
        replication_factor: copies of each partition, at most the number of brokers.
        newest_only: full names of further topics, of one partition, which keep the newest record of each key.
    """

    names: Sequence[str]
    partitions: Annotated[int, Field(ge=1)] = PARTITIONS
    replication_factor: Annotated[int, Field(ge=1)] = 1
    newest_only: Sequence[str] = ()


async def prepare_topics(bootstrap_servers: str, plan: TopicPlan) -> list[str]:
    """Makes the topics that are missing and answers their names.

    Raises:
        TopicRefused: the broker refuses one, or one exists with another number of partitions.
        aiokafka.errors.KafkaConnectionError: no broker answers at these addresses.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        wanted = [_new_topic(name, plan) for name in plan.names]
        wanted += [_newest_only_topic(name, plan) for name in plan.newest_only]
        answer = await admin.create_topics(wanted)
        made = [name for name, code, *why in answer.topic_errors if _is_made(name, code, why)]
        existing = [name for name in plan.names if name not in made]
        if existing:
            await _check_partitions(admin, existing, plan.partitions)
    finally:
        await admin.close()
    return made


def _new_topic(name: str, plan: TopicPlan) -> NewTopic:
    in_sync = _IN_SYNC_REPLICAS.get(plan.replication_factor, 2)
    return NewTopic(
        name,
        num_partitions=plan.partitions,
        replication_factor=plan.replication_factor,
        topic_configs={
            "cleanup.policy": "delete",
            "retention.ms": "-1",  # views are rebuilt from this log
            "retention.bytes": "-1",
            "min.insync.replicas": str(in_sync),
            "max.message.bytes": str(RECORD_BYTES_MAX),
        },
    )


def _newest_only_topic(name: str, plan: TopicPlan) -> NewTopic:
    return NewTopic(
        name,
        num_partitions=1,
        replication_factor=plan.replication_factor,
        topic_configs={
            "cleanup.policy": "compact",
            # A reader starts at the beginning: what is superseded goes within minutes.
            "segment.ms": "600000",
            "min.cleanable.dirty.ratio": "0.1",
        },
    )


def _is_made(name: str, code: int, why: Sequence[str | None]) -> bool:
    if code not in {0, _ALREADY_EXISTS}:
        raise TopicRefused(f"Kafka refuses topic {name}: {' '.join(filter(None, why))} ({code})")
    return code == 0


@retry(
    retry=retry_if_exception_type(KafkaError),
    stop=stop_after_delay(_METADATA_SECONDS_MAX),
    wait=wait_fixed(0.1),
    reraise=True,
)
async def _check_partitions(
    admin: AIOKafkaAdminClient, existing: Sequence[str], wanted: int
) -> None:
    described = {topic["topic"]: topic for topic in await admin.describe_topics(list(existing))}
    for name in existing:
        # a broker hears of a topic a moment after the controller: what is not known is not yet right
        code = (
            described[name]["error_code"]
            if name in described
            else UnknownTopicOrPartitionError.errno
        )
        if code != 0:
            raise for_code(code)(name)
        found = len(described[name]["partitions"])
        if found != wanted:
            raise TopicRefused(
                f"topic {name} has {found} partitions, {wanted} are wanted: "
                "changing them would move keys; use the existing number or another topic prefix"
            )
