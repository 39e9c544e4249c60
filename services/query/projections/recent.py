"""Folded tickets that were written lately, so that their next events need no reading."""

from collections import OrderedDict
from typing import Generic, Protocol, TypeVar


class Versioned(Protocol):
    """Something that knows up to which event of its stream it is folded."""

    @property
    def version(self) -> int: ...


V = TypeVar("V", bound=Versioned)


class Recent(Generic[V]):
    """A bounded memory that cannot lie.

    A fold is a pure function of a stream's events 1 … n, so an entry at version n is right for event n + 1, whoever
    wrote what meanwhile; an entry at any other version (a rolled back batch, another process) is not used.
    Several threads may share it, as long as each has streams of its own.
    """

    def __init__(self, *, size_max: int) -> None:
        self._size_max = size_max
        self._entries: OrderedDict[int, V] = OrderedDict()

    def take(self, stream: int, *, before: int) -> V | None:
        """The fold of everything before event `before`, when it is here. It is taken out: it will be changed.

        Args:
            stream: the number of its UUID, which is hashed and compared without running Python; so each step here is
                one that no other thread comes in between.
            before: the version of the next event.
        """
        entry = self._entries.pop(stream, None)
        return entry if entry is not None and entry.version == before - 1 else None

    def put(self, stream: int, entry: V) -> None:
        """Remember; the longest unused goes when there are too many."""
        self._entries[stream] = entry
        if len(self._entries) > self._size_max:
            self._entries.popitem(last=False)
