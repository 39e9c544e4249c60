"""`python -m tests.bench.serve APP SERVER`: the bare handler or intake itself, on either HTTP server.

The two run with the settings that `shared.service` gives uvicorn. Granian runs embedded in the same kind of event
loop, because a service owns its loop.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn
from fastapi import FastAPI
from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server

from services.intake.main import build
from services.intake.settings import Settings
from shared import heap
from shared.observability.logs import configure_logging
from tests.bench.bare import bare_app
from tests.bench.product import run

_HOST = "127.0.0.1"
Serve = Callable[[FastAPI, int], Awaitable[None]]


async def on_uvicorn(app: FastAPI, port: int) -> None:
    """Serve until SIGTERM, set up as in `shared.service`."""
    await uvicorn.Server(
        uvicorn.Config(
            app,
            host=_HOST,
            port=port,
            http="httptools",
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=75,
        )
    ).serve()


async def on_granian(app: FastAPI, port: int) -> None:
    """Serve until SIGTERM."""
    server = Server(
        app,
        address=_HOST,
        port=port,
        interface=Interfaces.ASGI,
        http=HTTPModes.http1,
        websockets=False,
        log_enabled=False,
    )
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.stop)
    await server.serve()


SERVERS: dict[str, Serve] = {"uvicorn": on_uvicorn, "granian": on_granian}


async def serve_bare(serve: Serve) -> None:
    """The bare handler."""
    app = bare_app(os.environ["BENCH_DATABASE_URL"])
    app.state.writer.start()
    await serve(app, int(os.environ["BENCH_PORT"]))


async def serve_intake(serve: Serve) -> None:
    """Intake, brought up and drained as it does itself."""
    settings = Settings()
    configure_logging(service="intake", log_format=settings.log_format, level=settings.log_level)
    service = build(settings)
    await service.start()
    try:
        await serve(service.api, settings.http_port)
    finally:
        await service.stop()


APPS: dict[str, Callable[[Serve], Awaitable[None]]] = {"bare": serve_bare, "intake": serve_intake}


def main(app: str, server: str) -> Any:
    """Serve until SIGTERM; both with the collector set as in `shared.entry`, or the limit would be none."""
    heap.settle()
    return run(lambda: APPS[app](SERVERS[server]))


if __name__ == "__main__":
    main(*sys.argv[1:])
