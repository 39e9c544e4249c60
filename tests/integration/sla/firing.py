"""A process that fires due timers until none are left: `python -m tests.integration.sla.firing URL BATCH`."""

import os
import sys
from typing import Any

from services.sla.promises.books import Books
from services.sla.settings import Settings
from services.sla.tickets.judging import Judging
from services.sla.timers import Timers
from shared.clock import SystemClock
from shared.eventstore import EventStore
from shared.http.health import HealthState
from tests.integration.sla.support import MIGRATIONS, open_store


def main(url: str, batch: int) -> int:
    settings = Settings.model_validate(
        {
            "database_url": url,
            "kafka_bootstrap_servers": "127.0.0.1:1",
            "timer_lateness_seconds": 0,
            "timer_batch_max": batch,
        }
    )
    store: EventStore[Any] = open_store(settings)
    store.migrate("shared.messaging", *MIGRATIONS)
    timers = Timers(
        store=store,
        judging=Judging(books=Books(), sinks=()),
        settings=settings,
        clock=SystemClock(),
        health=HealthState(),
    )
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    fired = 0
    while done := timers.fire_due().fired:
        fired += done
        sys.stdout.write(f"{fired}\n")
        sys.stdout.flush()
    return fired


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
    os._exit(0)  # pools have threads; there is nothing left to say
