"""`ticketing sla timers` on a terminal: are the timers of all tickets where their clocks say?"""

import asyncio

import psycopg
from pydantic import SecretStr
from rich.console import Console
from rich.progress import Progress, TextColumn, TimeElapsedColumn

from deploy.audit.places import places
from deploy.local.problems import CannotStart
from deploy.terminal import operation
from services.sla.promises.books import Books
from services.sla.settings import Settings
from services.sla.tickets.judging import Judging
from services.sla.tickets.rebuilding import rebuild
from shared.events.base import Owner
from shared.eventstore import EventStore
from shared.operations import note_in_events


def run(database: str | None, *, mends: bool) -> int:
    """Look at all timers. Returns the exit status: 1 when some were wrong and are still.

    Raises:
        CannotStart: the database cannot be used; the message says why.
    """
    url = places(["sla"], database=database, public_keys=(), kafka=None, prefix=None).urls["sla"]
    settings = Settings(database_url=SecretStr(url), kafka_bootstrap_servers="unused:0")
    store: EventStore[object] = EventStore(settings, owner=Owner.SLA)
    console = Console(highlight=False)
    looked = wrong = 0
    try:
        store.open()
        if mends:
            store.migrate()  # nothing where sla has run; it opens the log for what follows
            begun = operation("timers.mend", "timers")
            store.transact(lambda tx: note_in_events(tx, begun))
        with Progress(
            TextColumn("{task.completed:,} tickets"),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        ) as bar:
            task = bar.add_task("", total=None)
            for found in rebuild(store, Judging(books=Books(), sinks=()), mends=mends):
                looked, wrong = found.looked, found.wrong
                bar.update(task, completed=looked)
    except psycopg.Error as error:
        raise CannotStart(str(error).partition("\n")[0]) from None
    finally:
        asyncio.run(store.close())
    what = "mended" if mends else "not where their clocks say"
    console.print(f"{looked:,} tickets, {wrong:,} timers {what}")
    return 1 if wrong and not mends else 0
