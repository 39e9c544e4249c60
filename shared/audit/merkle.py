"""The Merkle tree of RFC 6962 (Certificate Transparency), grown leaf by leaf; memory grows with its height. Pure."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final

CHUNK: Final = 1_024
"""Leaves that are kept together: a power of two, so that whole chunks are subtrees of every larger tree."""

EMPTY: Final = hashlib.sha256(b"").digest()
"""The root of no leaves (RFC 6962 §2.1)."""


class Tree:
    """Takes leaves in order; the root is known at any time."""

    def __init__(self) -> None:
        self._peaks: list[tuple[int, bytes]] = []  # (height, hash) of whole subtrees, highest first
        self.count = 0

    def add(self, data: bytes) -> None:
        """The next leaf."""
        height, node = 0, leaf_hash(data)
        while self._peaks and self._peaks[-1][0] == height:
            node = _parent(self._peaks.pop()[1], node)
            height += 1
        self._peaks.append((height, node))
        self.count += 1

    def root(self) -> bytes:
        """The hash over everything added so far."""
        if not self._peaks:
            return EMPTY
        node = self._peaks[-1][1]
        for _, left in reversed(self._peaks[:-1]):
            node = _parent(left, node)
        return node


def root_of(leaves: Iterable[bytes]) -> bytes:
    """The root over these leaves."""
    tree = Tree()
    for data in leaves:
        tree.add(data)
    return tree.root()


def leaf_hash(data: bytes) -> bytes:
    """The hash of one leaf."""
    return hashlib.sha256(b"\x00" + data).digest()


def path(hashes: Sequence[bytes], index: int) -> list[bytes]:
    """The siblings on the way from a leaf, or from the root of a chunk, to the root (RFC 6962 §2.1.1), lowest first."""
    steps: list[bytes] = []
    while len(hashes) > 1:
        if (sibling := index ^ 1) < len(hashes):
            steps.append(hashes[sibling])
        pairs = [
            _parent(*hashes[at : at + 2]) if at + 1 < len(hashes) else hashes[at]
            for at in range(0, len(hashes), 2)
        ]
        hashes, index = pairs, index // 2
    return steps


def root_along(leaf: bytes, index: int, count: int, steps: Iterable[bytes]) -> bytes | None:
    """The root to which this path leads (RFC 9162 §2.1.3.2); None when it is no path of such a tree.

    Args:
        leaf: the leaf's hash.
        index: its place, from 0.
        count: leaves of the whole tree.
        steps: as `path` gives them.
    """
    if not 0 <= index < count:
        return None
    node, last = leaf, count - 1
    for sibling in steps:
        if last == 0:
            return None
        if index % 2 or index == last:
            node = _parent(sibling, node)
            while not index % 2 and index:
                index, last = index // 2, last // 2
        else:
            node = _parent(node, sibling)
        index, last = index // 2, last // 2
    return node if last == 0 else None


def _parent(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()
