"""What open dashboards cost: hundreds of live boards by server-sent events, and the processor time of the service."""

import asyncio
from typing import Final
from urllib.parse import urlsplit

from shared.security.principal import Role
from tests.bench.figures import Figure, Goal, Missed, Report
from tests.bench.product import Product, comes_true, run
from tests.bench.scale import Scale

SECTION: Final = "dashboards"
_SHARE_MAX: Final = 0.10
"""Of a core, for all of them together."""

_CHUNK: Final = 65_536
_FIRST_SECONDS_MAX: Final = 60.0
_CONNECTED_AT_ONCE: Final = 50


def measure(product: Product, scale: Scale, report: Report) -> None:
    """The service alone, nobody watching; then with all boards open, as long."""
    product.start_services("query")
    quiet, watched, events = run(lambda: _watch(product, scale))
    report.add(
        Figure(
            section=SECTION,
            name=f"{scale.dashboards} dashboards open by SSE, nothing else to do: query and PostgreSQL",
            value=watched,
            unit="cores",
            goal=Goal(at_most=_SHARE_MAX),
            details={
                "with_none_open": quiet,
                "events_read": events,
                "seconds": scale.dashboard_seconds,
            },
        )
    )
    product.stop("query")


async def _watch(product: Product, scale: Scale) -> tuple[float, float, int]:
    """Cores that query and PostgreSQL take without and with the dashboards, and how many events these were sent."""
    address, token = product.service_url("query"), product.token("bench", Role.AGENT)
    quiet = await _cores(product, scale.dashboard_seconds)
    viewers: list[_Viewer] = []
    try:
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
        return quiet, watched, sum(viewer.events for viewer in viewers) - before
    finally:
        for viewer in viewers:
            viewer.close()


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
