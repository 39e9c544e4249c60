"""The Merkle tree of RFC 6962 (Certificate Transparency), grown leaf by leaf; memory grows with its height. Pure."""

import hashlib
from collections.abc import Iterable
from typing import Final

EMPTY: Final = hashlib.sha256(b"").digest()
"""The root of no leaves (RFC 6962 §2.1)."""


class Tree:
    """Takes leaves in order; the root is known at any time."""

    def __init__(self) -> None:
        self._peaks: list[tuple[int, bytes]] = []  # (height, hash) of whole subtrees, highest first
        self.count = 0

    def add(self, data: bytes) -> None:
        """The next leaf."""
        height, node = 0, hashlib.sha256(b"\x00" + data).digest()
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


def _parent(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()
