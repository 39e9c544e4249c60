"""The process that does the work: `python -m services.sla.backtest.process`, one order on standard input.

It steps back for everything else on the machine, writes nothing but lines of JSON to standard output
(`progress`, `changed`, at last `result`), and judges with the live engine.
"""

import asyncio
import os
import sys
import time
from typing import Any, Final

import msgspec
from aiokafka.errors import KafkaError

from services.sla.backtest.history import History
from services.sla.backtest.question import Order
from services.sla.backtest.tally import Tally
from services.sla.backtest.timelines import End, Line, Progress, Promises, timelines

_NICENESS: Final = 10
_PROGRESS_EVERY_SECONDS: Final = 0.5


class _Speaker:
    def __init__(self) -> None:
        self._encoder = msgspec.json.Encoder()
        self._told = 0.0

    def say(self, line: dict[str, Any] | Line) -> None:
        sys.stdout.buffer.write(self._encoder.encode(line) + b"\n")
        sys.stdout.buffer.flush()

    def progress(self, done: int, total: int) -> None:
        if time.monotonic() - self._told >= _PROGRESS_EVERY_SECONDS or done >= total:
            self._told = time.monotonic()
            self.say({"progress": {"events_read": done, "events_total": total}})


async def tell(order: Order) -> None:
    """Read, and tell what happened."""
    speaker = _Speaker()
    unreadable = 0

    def count() -> None:
        nonlocal unreadable
        unreadable += 1

    history = History(
        bootstrap_servers=order.bootstrap_servers,
        prefix=order.prefix,
        on_progress=lambda done, total: speaker.say(Progress(events_read=done, events_total=total)),
        on_unreadable=count,
    )
    speaker.say(Promises(trial=order.trial))
    async for stories in history.stories(order.trial.since, order.trial.until):
        for timeline in timelines(stories, order.trial):
            speaker.say(timeline)
    speaker.say(End(unreadable_events_count=unreadable))


async def work(order: Order) -> None:
    """Read, judge, tell."""
    speaker = _Speaker()
    tally = Tally(order.trial, order.trial.rules())
    history = History(
        bootstrap_servers=order.bootstrap_servers,
        prefix=order.prefix,
        on_progress=speaker.progress,
        on_unreadable=lambda: tally.note("unreadable"),
    )
    async for stories in history.stories(order.trial.since, order.trial.until):
        for story in stories:
            try:
                changed = tally.take(story)
            except Exception as error:  # noqa: BLE001 - one ticket must not hide all the others
                tally.note("failed")
                speaker.say({"failed": {"ticket_id": str(story.ticket_id), "why": repr(error)}})
                continue
            if changed is not None and order.trial.lists_changes:
                speaker.say({"changed": changed})
    speaker.say({"result": tally.answer()})


def main() -> int:
    """The exit status: 0, or 1 with `error` as the last line."""
    os.nice(_NICENESS)
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    try:
        asyncio.run(tell(order) if order.tells_timelines else work(order))
    except (KafkaError, OSError) as error:
        _Speaker().say({"error": f"{type(error).__name__}: {error}"})
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
