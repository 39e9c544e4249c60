"""Mail in: raw mails become tickets in the store, beside only reading them and keeping their files."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr

from services.intake.app import Intake
from services.intake.attachments.store import FolderStore
from services.intake.channels.email_message import parse
from services.intake.channels.mail import files
from services.intake.channels.mail.guard import Pace as MailPace
from services.intake.channels.mail.mailboxes import Mailboxes
from services.intake.channels.mail.receiving import Arrival, MailIn
from services.intake.domain import Ticket, evolve
from services.intake.settings import Settings
from shared.events import Owner
from shared.eventstore import EventStore, GroupCommitter
from shared.observability.logs import configure_logging
from tests.bench.figures import Figure, Missed, Report
from tests.bench.pace import Pace, Stopwatch
from tests.bench.product import Product, run
from tests.bench.scale import Scale

SECTION: Final = "email"
_DATABASE: Final = "bench_email"
_AT_ONCE: Final = 32
_PER_STORY: Final = 10  # a tenth of the stories: every mail is synced to the disk
_WORDS: Final = (
    "The printer on the third floor is on fire again, and nobody answers the phone. " * 20
)


def measure(product: Product, scale: Scale, report: Report) -> None:
    """A third of the mails have a file of 100 kB and half of them answer an earlier one."""
    configure_logging(service="bench", log_format="console", level="WARNING")
    mails = a_mailbox(max(60, scale.stories // _PER_STORY))
    with tempfile.TemporaryDirectory(prefix="bench-email-") as folder:
        alone = run(lambda: _read_and_keep(mails, Path(folder) / "alone", product))
        with product.fresh_database(_DATABASE):
            ours, done = run(lambda: _receive(product, mails, Path(folder) / "ours"))
    if done != len(mails):
        raise Missed(f"{len(mails)} mails came and {done} were taken")
    report.add(
        Figure(
            section=SECTION,
            name=f"e-mail parse-and-store, {_AT_ONCE} at once",
            value=ours.rate,
            unit="mails/s",
            limit=alone.rate,
            limit_name="the same mails parsed, their files and originals synced to disk",
            core_ms=ours.core_ms,
            limit_core_ms=alone.core_ms,
            details={"mails": len(mails)},
        )
    )


def a_mailbox(count: int) -> list[bytes]:
    """Ordinary mails: plain and HTML, quotes, some with a file."""
    begun = datetime(2026, 3, 2, tzinfo=UTC)
    made: list[bytes] = []
    for at in range(count):
        mail = EmailMessage()
        mail["From"] = f"Customer {at // 2} <c{at // 2}@customer.example>"
        mail["To"] = "help@desk.example"
        mail["Subject"] = f"Printer {at // 2}"
        mail["Date"] = format_datetime(begun + timedelta(seconds=at))
        mail["Message-ID"] = f"<{at}@customer.example>"
        if at % 2:
            mail["In-Reply-To"] = f"<{at - 1}@customer.example>"
        mail.set_content(f"{_WORDS}\n\nOn Monday somebody wrote:\n> {_WORDS[:200]}\n")
        mail.add_alternative(f"<p>{_WORDS}</p>", subtype="html")
        if at % 3 == 0:
            picture = at.to_bytes(8, "big") * 12_500
            mail.add_attachment(picture, maintype="image", subtype="png", filename="fire.png")
        made.append(mail.as_bytes())
    return made


async def _read_and_keep(mails: Sequence[bytes], folder: Path, product: Product) -> Pace:
    store = FolderStore(folder)
    readers = asyncio.Semaphore(2)

    async def one(raw: bytes) -> None:
        async with readers:
            message = await asyncio.to_thread(parse, raw)
        await files.put_all(store, files.of_mail(message, raw))

    clock = Stopwatch(product.pid("postgres"))
    await _in_pairs(mails, one)
    return clock.pace(len(mails))


async def _receive(product: Product, mails: Sequence[bytes], folder: Path) -> tuple[Pace, int]:
    settings = Settings(
        database_url=SecretStr(product.database_url("intake", _DATABASE)),
        kafka_bootstrap_servers=product.kafka,
    )
    store = EventStore[Ticket](settings, owner=Owner.INTAKE, evolve=_fold)
    committer = GroupCommitter(store)
    await asyncio.to_thread(_open, store)
    pace = MailPace(1_000_000, timedelta(minutes=10))
    mail = MailIn(Intake(store, committer), store, FolderStore(folder), Mailboxes(), pace=pace)
    done = 0

    async def one(raw: bytes) -> None:
        nonlocal done
        outcome = await mail.receive(raw, Arrival(correlation_id="bench"))
        done += outcome.result.done in {"opened", "replied"}

    try:
        clock = Stopwatch(product.pid("postgres"))
        await _in_pairs(mails, one)
        return clock.pace(len(mails)), done
    finally:
        await committer.stop()
        await store.close()


async def _in_pairs(mails: Sequence[bytes], take: Callable[[bytes], Awaitable[None]]) -> None:
    """Many at once, a question always before its answer."""
    waiting = iter([mails[at : at + 2] for at in range(0, len(mails), 2)])

    async def work() -> None:
        for pair in waiting:
            for raw in pair:
                await take(raw)

    await asyncio.gather(*(work() for _ in range(_AT_ONCE)))


def _open(store: EventStore[Ticket]) -> None:
    store.open()
    store.migrate("shared.messaging", "services.intake")


def _fold(ticket: Ticket | None, event: Any) -> Ticket:
    return evolve(ticket, event)
