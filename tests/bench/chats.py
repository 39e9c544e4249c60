"""The chat: messages over real sockets, stored and acknowledged, beside a server that echoes and stores nothing."""

import asyncio
import contextlib
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import quantiles
from typing import Any, Final
from uuid import uuid4

from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from pydantic import SecretStr
from websockets.asyncio.client import ClientConnection, connect

from services.intake.main import build
from services.intake.settings import Settings
from shared.observability.logs import configure_logging
from tests.bench.figures import Figure, Missed, Report
from tests.bench.pace import Pace, Stopwatch
from tests.bench.product import Product, run
from tests.bench.scale import Scale
from tests.support.serving import serving

SECTION: Final = "chat"
_DATABASE: Final = "bench_chat"
_EACH: Final = 20
"""Messages of one visitor: as many as the guard lets pass at once."""

_VISITORS_MAX: Final = 200
_WORDS: Final = "My order has not come yet, could you please look where it is? " * 2
_P50, _P99 = 49, 98


def measure(product: Product, scale: Scale, report: Report) -> None:
    """Each visitor writes the next message when the last one is acknowledged; server and visitors share the process."""
    configure_logging(service="bench", log_format="console", level="WARNING")
    visitors = min(_VISITORS_MAX, max(10, scale.stories // 50))
    alone, _ = run(lambda: _echoed(product, visitors))
    with product.fresh_database(_DATABASE):
        ours, seconds, stored = run(lambda: _chatted(product, visitors))
    count = visitors * _EACH
    if stored != count:
        raise Missed(f"{count} messages were acknowledged and {stored} are stored")
    cuts = quantiles(seconds, n=100)
    report.add(
        Figure(
            section=SECTION,
            name=f"chat messages stored and acknowledged, {visitors} visitors at once",
            value=ours.rate,
            unit="messages/s",
            limit=alone.rate,
            limit_name="the same frames echoed by a socket that stores nothing",
            core_ms=ours.core_ms,
            limit_core_ms=alone.core_ms,
            details={
                "messages": count,
                "acknowledged_p50_ms": round(cuts[_P50] * 1000, 1),
                "acknowledged_p99_ms": round(cuts[_P99] * 1000, 1),
            },
        )
    )


async def _echoed(product: Product, visitors: int) -> tuple[Pace, list[float]]:
    app = FastAPI()

    @app.websocket("/chat/socket")
    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                said = json.loads(await socket.receive_text())
                kind = "welcome" if said["type"] == "hello" else "stored"
                await socket.send_text(json.dumps({"type": kind, "id": said.get("id")}))

    async with serving(app) as address:
        return await _all(product, address, visitors)


async def _chatted(product: Product, visitors: int) -> tuple[Pace, list[float], int]:
    with tempfile.TemporaryDirectory(prefix="bench-chat-") as folder:
        channels = Path(folder) / "channels.yaml"
        channels.write_text("chat: {}\n", encoding="utf-8")
        service = build(
            Settings(
                database_url=SecretStr(product.database_url("intake", _DATABASE)),
                kafka_bootstrap_servers=product.kafka,
                channels_file=channels,
                attachments_folder=Path(folder),
            )
        )
    store = service.store

    def bring_up() -> None:
        store.open()
        store.migrate("shared.messaging", "services.intake")

    await asyncio.to_thread(bring_up)
    try:
        async with serving(service.api) as address:
            pace, seconds = await _all(product, address, visitors)
        pool = await store.pool()
        async with pool.connection() as connection:
            found = await connection.execute("SELECT count(*) AS count FROM chat_messages")
            row = await found.fetchone()
        assert row is not None, "a count has a row"
        return pace, seconds, row["count"]
    finally:
        await service.stop()


async def _all(product: Product, address: str, visitors: int) -> tuple[Pace, list[float]]:
    sockets = [await connect(f"ws://{address}/chat/socket", proxy=None) for _ in range(visitors)]
    try:
        for socket in sockets:
            await socket.send('{"type":"hello"}')
            await _wait(socket, lambda frame: frame["type"] == "welcome")
        clock = Stopwatch(product.pid("postgres"))
        found = await asyncio.gather(*map(_write, sockets))
        return clock.pace(visitors * _EACH), [one for each in found for one in each]
    finally:
        await asyncio.gather(*(socket.close() for socket in sockets))


async def _write(socket: ClientConnection) -> list[float]:
    seconds = []
    for _ in range(_EACH):
        id_, begun = str(uuid4()), time.perf_counter()
        await socket.send(json.dumps({"type": "message", "id": id_, "text": _WORDS}))
        await _wait(socket, lambda frame, id_=id_: frame["type"] == "stored" and frame["id"] == id_)  # type: ignore[misc]
        seconds.append(time.perf_counter() - begun)
    return seconds


async def _wait(socket: ClientConnection, fits: Callable[[dict[str, Any]], bool]) -> None:
    while True:
        frame = json.loads(await socket.recv())
        if fits(frame):
            return
        if frame["type"] == "error":
            raise Missed(f"the chat refused a message: {frame['detail']}")
