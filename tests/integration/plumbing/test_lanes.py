"""A large batch in several transactions side by side: what one of them cannot do now, the next attempt does alone."""

import threading
from collections import Counter

import pytest

from shared.database import Transaction
from shared.identifiers import new_id
from shared.messaging.lanes import SHARE_RECORDS_MIN
from shared.topics import Topic
from tests.integration.plumbing.conftest import Place
from tests.integration.plumbing.readers import Log, Table, is_in_order
from tests.support.events import noted, opened

pytestmark = pytest.mark.integration

PARTITIONS = 4
EACH = SHARE_RECORDS_MIN
"""Events of each partition, so that each is the share of a lane."""


async def test_one_share_fails_and_the_others_stand(place: Place) -> None:
    table = Table(place, lanes=PARTITIONS)
    streams = [new_id() for _ in range(PARTITIONS)]
    logs = [Log(table.settings.topic_prefix, Topic.TICKETS, number) for number in range(PARTITIONS)]
    batch = [
        log.put(opened(stream) if version == 1 else noted(stream, version))
        for stream, log in zip(streams, logs, strict=True)
        for version in range(1, EACH + 1)
    ]
    attempts: Counter[str] = Counter()
    threads: set[int] = set()

    def handle(tx: Transaction, received: list) -> None:
        stream = str(received[0].event.stream_id)
        attempts[stream] += 1
        threads.add(threading.get_ident())
        if stream == str(streams[2]) and attempts[stream] == 1:
            raise ConnectionError("only this once")
        table.handle(tx, received)

    table.on_batch = handle
    with pytest.raises(ConnectionError):
        table.apply(*batch)
    assert [table.versions(stream) != [] for stream in streams] == [True, True, False, True]
    told_first = len(table.told)
    assert table.apply(*batch) == {}, "nothing is missing: it goes on where each partition stands"
    assert attempts == {str(s): 2 if s == streams[2] else 1 for s in streams}
    for stream in streams:
        assert is_in_order(table.versions(stream))
    assert len(table.versions(streams[2])) == EACH
    assert (told_first, len(table.told)) == (3 * EACH, 4 * EACH)
    assert len(threads) > 1
    await table.close()
