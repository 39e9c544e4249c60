"""Topics of one test session, beside others on the same Kafka."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final
from uuid import uuid4

from aiokafka.admin import AIOKafkaAdminClient

from deploy.bootstrap import TopicPlan, prepare_topics
from shared.topics import WATERMARKS, all_topics
from tests.support.waiting import eventually

PARTITIONS: Final = 4
"""Enough to see keys in different partitions, few enough to be made at once."""


@contextmanager
def fresh_topics(bootstrap_servers: str) -> Iterator[str]:
    """The prefix of topics that exist until the end of the block."""
    prefix = f"test-{uuid4().hex[:12]}."
    names = all_topics(prefix)
    # In a thread: asyncio.run would take away the event loop that the test runner has set in this one.
    with ThreadPoolExecutor(max_workers=1) as thread:
        plan = TopicPlan(names=names, partitions=PARTITIONS, newest_only=[prefix + WATERMARKS])
        thread.submit(lambda: asyncio.run(prepare_topics(bootstrap_servers, plan))).result()
        try:
            yield prefix
        finally:
            thread.submit(
                lambda: asyncio.run(_delete(bootstrap_servers, [*names, prefix + WATERMARKS]))
            ).result()


async def _delete(bootstrap_servers: str, names: list[str]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        await admin.delete_topics(names)
    finally:
        await admin.close()


async def make_anew(bootstrap_servers: str, topic: str) -> None:
    """Lose a topic with all that is in it, and make it again under its name."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        await admin.delete_topics([topic])

        async def is_gone() -> bool:
            return topic not in await admin.list_topics()

        await eventually(is_gone)
    finally:
        await admin.close()
    await prepare_topics(bootstrap_servers, TopicPlan(names=[topic], partitions=PARTITIONS))
