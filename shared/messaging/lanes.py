"""Lanes: parts of one batch that share no stream, applied side by side, each in a transaction of its own.

All topics have as many partitions and choose them by the same key, so whatever is told of a ticket stands in partitions
of one number. A lane takes all partitions of some numbers; two lanes never write about the same ticket.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from shared.messaging.positions import Slot

T = TypeVar("T")
R = TypeVar("R")

Share = dict[Slot, Sequence[T]]
"""What one lane does: records by partition, in order within each."""

SHARE_RECORDS_MIN: Final = 250
"""Fewer are not worth a transaction of their own: a small batch stays whole."""


def share_out(records: Mapping[Slot, Sequence[T]], lanes: int) -> list[Share[T]]:
    """Parts of about the same size, at most as many as `lanes`; one when there is little to do.

    Not more: each part costs its own statements and a commit, and that lanes get out of step gains less (measured).
    """
    count = sum(map(len, records.values()))
    parts = max(1, min(lanes, count // SHARE_RECORDS_MIN))
    sizes: dict[int, int] = {}
    for (_, number), some in records.items():
        sizes[number] = sizes.get(number, 0) + len(some)
    filled = [0] * parts
    part_of: dict[int, int] = {}
    for number in sorted(sizes, key=lambda each: (-sizes[each], each)):  # the large ones first
        part = part_of[number] = filled.index(min(filled))
        filled[part] += sizes[number]
    shares: list[Share[T]] = [{} for _ in range(parts)]
    for slot, some in records.items():
        shares[part_of[slot[1]]][slot] = some
    return [share for share in shares if share]


def side_by_side(work: Callable[[T], R], shares: Sequence[T], *, lanes: int) -> list[R | Exception]:
    """What `work` returned or raised for each of them, `lanes` at a time; returns when all have ended."""

    def outcome(share: T) -> R | Exception:
        try:
            return work(share)
        except Exception as error:  # noqa: BLE001  # the caller looks at each
            return error

    if len(shares) == 1:
        return [outcome(shares[0])]
    with ThreadPoolExecutor(lanes, thread_name_prefix="lane") as pool:
        return list(pool.map(outcome, shares))
