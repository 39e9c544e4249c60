"""Starts the working process and hands its lines on, one trial at a time."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, Final

import msgspec
import structlog

from services.sla.backtest.question import Order, Trial
from shared.errors import Refused
from shared.settings import ServiceSettings

log = structlog.get_logger(__name__)

_LINE_BYTES_MAX: Final = 64 * 1024 * 1024
"""The result with every counted change named is a few megabytes."""


class Busy(Refused):
    """Another trial is being worked on; one at a time, because each reads much of the log."""

    status = 409
    title = "Busy"


class Failed(Exception):
    """The working process could not finish; its own words."""


class Runner:
    """Runs trials for this service process.

    Args:
        settings: where Kafka is.
    """

    def __init__(self, settings: ServiceSettings) -> None:
        self._settings = settings
        self._is_busy = False

    async def run(
        self, trial: Trial, *, tells_timelines: bool = False
    ) -> AsyncIterator[dict[str, Any]]:
        """The lines of a trial; the last one is `result`. Or those of the timelines alone, the last one `end`.

        Raises:
            Busy: another one is under way in this service process.
            Failed: the working process ended without a result.
        """
        if self._is_busy:
            raise Busy("Another backtest or judgement is under way in this process; wait for it.")
        self._is_busy = True
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "services.sla.backtest.process"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=_LINE_BYTES_MAX,
            )
            try:
                async for line in self._lines(process, trial, tells_timelines=tells_timelines):
                    yield line
            finally:
                if process.returncode is None:
                    with suppress(ProcessLookupError):
                        process.kill()
                    await process.wait()
        finally:
            self._is_busy = False

    async def _lines(
        self, process: asyncio.subprocess.Process, trial: Trial, *, tells_timelines: bool
    ) -> AsyncIterator[dict[str, Any]]:
        assert process.stdin is not None
        assert process.stdout is not None
        order = Order(
            bootstrap_servers=self._settings.kafka_bootstrap_servers,
            prefix=self._settings.topic_prefix,
            trial=trial,
            tells_timelines=tells_timelines,
        )
        process.stdin.write(msgspec.json.encode(order))
        process.stdin.close()
        is_done = False
        async for raw in process.stdout:
            line: dict[str, Any] = msgspec.json.decode(raw)
            if "error" in line:
                raise Failed(line["error"])
            if "failed" in line:
                log.error("backtest_ticket_failed", **line["failed"])
                continue
            is_done = is_done or "result" in line or line.get("line") == "end"
            yield line
        status = await process.wait()
        if not is_done:
            raise Failed(f"the working process ended with status {status}")
