"""The entrance of time: chats in which nobody writes any more end."""

import asyncio
from typing import Final

import structlog

from services.intake.channels.chat.desk import END_TOGETHER_MAX, ChatDesk
from shared.database import TRANSIENT

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 10.0
"""Nobody waits for the end of a silence; any number of processes may look, rows are locked."""


class SilenceWatch:
    """Ends them, until cancelled."""

    def __init__(self, desk: ChatDesk) -> None:
        self._desk = desk

    async def run(self) -> None:
        """While the database is away, chats live longer."""
        while True:
            count = 0
            try:
                count = await self._desk.end_silent()
            except TRANSIENT as error:
                log.warning("chat_silence_waits", error=type(error).__name__)
            if count < END_TOGETHER_MAX:
                await asyncio.sleep(LOOK_SECONDS)
