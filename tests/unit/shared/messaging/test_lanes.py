"""A batch is shared out whole, and no two shares can meet at one ticket."""

from hypothesis import given
from hypothesis import strategies as st

from shared.messaging.lanes import SHARE_RECORDS_MIN, share_out, side_by_side
from shared.topics import PARTITIONS, Topic

slots = st.tuples(
    st.sampled_from([Topic.TICKETS, Topic.ASSIGNMENTS, Topic.SLA]), st.integers(0, PARTITIONS - 1)
)
batches = st.dictionaries(slots, st.integers(1, 400), max_size=40).map(
    lambda sizes: {slot: list(range(size)) for slot, size in sizes.items()}
)


@given(batches, st.integers(1, 4))
def test_every_record_is_in_one_share_and_every_partition_number_too(batch, lanes) -> None:
    shares = share_out(batch, lanes)
    assert {slot: some for share in shares for slot, some in share.items()} == batch
    assert sum(map(len, shares)) == len(batch), "a partition is in two shares"
    numbers = [{number for _, number in share} for share in shares]
    assert sum(map(len, numbers)) == len(set().union(*numbers)), "two shares may meet"


@given(batches, st.integers(1, 4))
def test_no_share_is_larger_than_need_be(batch, lanes) -> None:
    shares = share_out(batch, lanes)
    sizes = [sum(map(len, share.values())) for share in shares]
    by_number: dict[int, int] = {}
    for (_, number), some in batch.items():
        by_number[number] = by_number.get(number, 0) + len(some)
    if len(sizes) > 1:
        # Whoever has the most got its last partition number when nobody had less.
        assert max(sizes) - min(sizes) <= max(by_number.values())


def test_what_is_small_stays_whole_and_what_is_large_keeps_all_lanes_busy() -> None:
    def parts(count: int, lanes: int) -> int:
        batch = {
            (Topic.TICKETS, number): list(range(count // PARTITIONS + 1))
            for number in range(PARTITIONS)
        }
        return len(share_out(batch, lanes))

    assert parts(SHARE_RECORDS_MIN, 2) == 1
    assert parts(100 * SHARE_RECORDS_MIN, 1) == 1
    assert parts(100 * SHARE_RECORDS_MIN, 2) == 2


def test_what_fails_keeps_nobody_else_from_ending() -> None:
    def work(share: int) -> int:
        if share == 2:
            raise ValueError("two")
        return share * 10

    first, second, third = side_by_side(work, [1, 2, 3], lanes=2)
    assert (first, third) == (10, 30)
    assert isinstance(second, ValueError)
