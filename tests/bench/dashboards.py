"""What open dashboards cost: hundreds of live boards by server-sent events, and the processor time of the service."""

import asyncio
import contextlib
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from deploy.local.stack import TOPIC_PREFIX
from shared.events import Event
from shared.security.principal import Role
from tests.bench import kafka
from tests.bench.figures import Figure, Goal, Missed, Report
from tests.bench.product import Product, comes_true, run
from tests.bench.scale import Scale
from tests.bench.story import lives

SECTION: Final = "dashboards"
_SHARE_MAX: Final = 0.10
"""Of a core, for all of them together."""

_CHUNK: Final = 65_536
_FIRST_SECONDS_MAX: Final = 60.0
_CONNECTED_AT_ONCE: Final = 50
_STORIES: Final = 1_000
"""More than happens while it is measured."""

_CHANGES_TOGETHER: Final = 5
_CHANGE_SECONDS: Final = 0.5
"""So that there is something new whenever a board may be computed: once a second."""


class _Cores(NamedTuple):
    """What query and PostgreSQL take, without and with the dashboards; how many events these were sent meanwhile."""

    quiet: float
    watched: float
    events: int


def measure(product: Product, scale: Scale, report: Report) -> None:
    """Nobody watching, then all boards open, as long; while nothing happens, and while tickets change all the time."""
    product.start_services("query")
    still = run(lambda: _watch(product, scale, []))
    busy = run(lambda: _watch(product, scale, lives(_STORIES)))
    product.stop("query")
    boards = f"{scale.dashboards} dashboards open by SSE"
    for name, cores in (("nothing else to do", still), ("tickets changing all the time", busy)):
        details = {
            "with_none_open": cores.quiet,
            "with_all_open": cores.watched,
            "events_read": cores.events,
            "seconds": scale.dashboard_seconds,
        }
        report.add(
            Figure(
                section=SECTION,
                name=f"{boards}, {name}: query and PostgreSQL",
                value=cores.watched,
                unit="cores",
                goal=Goal(at_most=_SHARE_MAX),
                details=details,
            )
        )


async def _watch(product: Product, scale: Scale, changes: Iterable[Event]) -> _Cores:
    """While `changes` happen, some every half second."""
    changing = asyncio.create_task(_tell(product, iter(changes)))
    viewers: list[_Viewer] = []
    try:
        quiet = await _cores(product, scale.dashboard_seconds)
        address, token = product.service_url("query"), product.token("bench", Role.AGENT)
        for first in range(0, scale.dashboards, _CONNECTED_AT_ONCE):
            count = min(_CONNECTED_AT_ONCE, scale.dashboards - first)
            viewers += await asyncio.gather(*(_Viewer.open(address, token) for _ in range(count)))
        await comes_true(
            lambda: all(viewer.first.is_set() for viewer in viewers),
            _FIRST_SECONDS_MAX,
            "every dashboard showed its board",
        )
        before = sum(viewer.events for viewer in viewers)
        watched = await _cores(product, scale.dashboard_seconds)
        if any(viewer.reading.done() for viewer in viewers):
            raise Missed("a dashboard was cut off while it was measured")
        return _Cores(quiet, watched, sum(viewer.events for viewer in viewers) - before)
    finally:
        for viewer in viewers:
            viewer.close()
        changing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await changing


async def _tell(product: Product, changes: Iterator[Event]) -> None:
    while some := list(islice(changes, _CHANGES_TOGETHER)):
        await kafka.produce(product.kafka, TOPIC_PREFIX, [kafka.Ready.of(each) for each in some])
        await asyncio.sleep(_CHANGE_SECONDS)


async def _cores(product: Product, seconds: float) -> float:
    def spent() -> float:
        now = product.core_seconds()
        return now["query"] + now["postgres"]

    begun = spent()
    await asyncio.sleep(seconds)
    return (spent() - begun) / seconds


class _Viewer:
    """One open board; counts events and throws them away."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.first = asyncio.Event()
        self.events = 0
        self._writer = writer
        self.reading = asyncio.create_task(self._read(reader))

    @classmethod
    async def open(cls, address: str, token: str) -> "_Viewer":
        parts = urlsplit(address)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        writer.write(
            f"GET /board/stream HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
        )
        await writer.drain()
        status = await reader.readline()
        if b" 200 " not in status:
            raise Missed(f"the board was refused: {status.decode().strip()}")
        return cls(reader, writer)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(_CHUNK):
            if count := data.count(b"event: board"):
                self.events += count
                self.first.set()

    def close(self) -> None:
        self.reading.cancel()
        self._writer.close()
