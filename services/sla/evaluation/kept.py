"""What was made from a document is kept a while and found again by the document's very bytes.

Thousands of questions usually speak of a few calendars; reading and compiling them once makes the
difference between thousands of answers a second and dozens.
"""

from collections import OrderedDict
from threading import Lock
from typing import Final, Generic, TypeVar

from shared.calendar import Calendar

V = TypeVar("V")

KEPT_MAX: Final = 32
"""With `BLOCKS_MAX` a bound on memory: a block of split shifts takes some 20 kB, all kept ones under 50 MB."""
BLOCKS_MAX: Final = 64
"""Nine years: a calendar that was asked about more is not kept."""


class Kept(Generic[V]):
    """The `KEPT_MAX` values used last; safe between threads."""

    def __init__(self) -> None:
        self._values: OrderedDict[object, V] = OrderedDict()
        self._lock = Lock()

    def find(self, key: object) -> V | None:
        """What was made from this before, if it is still here."""
        with self._lock:
            return self._values.get(key)

    def keep(self, key: object, value: V, *calendars: Calendar) -> None:
        """Keep a value after its use, unless these calendars of it have grown too large."""
        with self._lock:
            if sum(calendar.compiled_count for calendar in calendars) > BLOCKS_MAX:
                self._values.pop(key, None)
                return
            self._values[key] = value
            self._values.move_to_end(key)
            if len(self._values) > KEPT_MAX:
                self._values.popitem(last=False)
