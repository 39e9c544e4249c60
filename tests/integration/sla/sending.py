"""A process that is killed while a receiver has its notice: `python -m tests.integration.sla.sending URL`.

The sink's document comes as JSON on standard input, its secrets through the environment.
"""

import asyncio
import json
import os
import sys

from services.sla.alerts.documents import read_sink
from services.sla.alerts.kind import Parts
from services.sla.alerts.secrets import Secrets
from services.sla.alerts.sender import Sender
from services.sla.settings import Settings
from shared.clock import SystemClock
from tests.integration.sla.support import MIGRATIONS, open_store


async def main(url: str) -> None:
    settings = Settings.model_validate(
        {"database_url": url, "kafka_bootstrap_servers": "127.0.0.1:1"}
    )
    store = open_store(settings)
    store.migrate("shared.messaging", *MIGRATIONS)
    parts = Parts(
        secrets=Secrets(os.environ, None), timeout_seconds=60, private_addresses_allowed=True
    )
    sink = read_sink(json.loads(sys.stdin.readline())).build("pager", parts)
    sender = Sender(store=store, sink=sink, settings=settings, clock=SystemClock())
    while await sender.send_due() == 0:
        pass


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
    os._exit(0)
