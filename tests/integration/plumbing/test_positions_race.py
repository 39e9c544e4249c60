"""Positions when two processes really move them at the same moment: one wins, and never half."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest

from shared.database import Database
from shared.messaging.positions import Fenced, Positions, Slot
from shared.topics import Topic
from tests.integration.plumbing.conftest import Place

pytestmark = pytest.mark.integration

SLOTS: list[Slot] = [(Topic.TICKETS, partition) for partition in range(4)]


async def test_of_two_at_the_same_moment_one_moves_all_its_partitions_or_none(place: Place):
    database = Database(place.settings("query", database_pool_size=8), schema="query")
    database.open()
    database.migrate("shared.messaging")
    positions = Positions("reader")

    def run(seed: int) -> Counter[tuple[Slot, int]]:
        """Moves by 1 what it believes to own, from where it read it last; counts what was its own doing."""
        random = Random(seed)
        won: Counter[tuple[Slot, int]] = Counter()
        for _ in range(60):
            mine = random.sample(SLOTS, random.randint(1, 4))
            known = database.transact(lambda tx, mine=mine: positions.load(tx, mine))
            moves = {slot: (before, before + 1) for slot, before in known.items()}
            try:
                database.transact(lambda tx, moves=moves: positions.advance(tx, moves))
            except Fenced:
                continue
            won.update((slot, after) for slot, (_, after) in moves.items())
        return won

    with ThreadPoolExecutor(4) as threads:
        won = sum(threads.map(run, range(4)), Counter())
    ended = database.transact(lambda tx: positions.load(tx, SLOTS))
    await database.close()
    assert set(won.values()) == {1}, "two moved the same partition from the same place"
    for slot, position in ended.items():
        assert {after for one, after in won if one == slot} == set(range(1, position + 1))
