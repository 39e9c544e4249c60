"""Mails as people and programs send them, and a desk that takes them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import httpx2
from pydantic import SecretStr

from services.intake.channels.mail import threading
from services.intake.main import build
from services.intake.secrets import Secret
from services.intake.settings import Settings
from shared.security.issuer import LocalIssuer
from tests.integration.intake.desk import Caller, Desk
from tests.support.database import Database
from tests.support.events import NOON

MAILBOXES: Final = """
mailboxes:
  - name: help
    addresses: [help@desk.example, support@desk.example]
    group: first-line
    brand: Desk
    tags: [mail]
  - name: billing
    addresses: [billing@desk.example]
    priority: high
"""


@asynccontextmanager
async def open_post(
    database: Database, issuer: LocalIssuer, mailboxes_file: Path | None, folder: Path, **more: Any
) -> AsyncIterator[Desk]:
    settings = Settings(
        **{
            "database_url": SecretStr(database.url("intake")),
            "kafka_bootstrap_servers": "127.0.0.1:1",  # nothing here publishes
            "jwks_file": issuer.jwks_file,
            "database_pool_size": 4,
            "mailboxes_file": mailboxes_file,
            "attachments_folder": folder,
            **more,
        }
    )
    service = build(settings)

    def bring_up() -> None:
        service.store.open()
        service.store.migrate("shared.messaging", "services.intake")

    await asyncio.to_thread(bring_up)
    transport = httpx2.ASGITransport(app=service.api)
    async with httpx2.AsyncClient(transport=transport, base_url="http://intake") as http:
        yield Desk(service, http)
    await service.stop()


def a_mail(text: str = "The printer is on fire.", **fields: Any) -> EmailMessage:
    """A mail with an id of its own; `in_reply_to="…"` sets a header, None leaves one away."""
    mail = EmailMessage()
    head = {
        "From": f"Ann Lee <{new_address()}>",
        "To": "help@desk.example",
        "Subject": "Printer",
        "Date": format_datetime(NOON),
        "Message-ID": f"<{uuid4().hex}@customer.example>",
    }
    head |= {
        next((known for known in head if known.lower() == name), name).replace("_", "-"): value
        for name, value in (
            ("message-id" if name == "message_id" else name, value)
            for name, value in fields.items()
        )
    }
    for name, value in head.items():
        if value is not None:
            mail[name] = value
    mail.set_content(text)
    return mail


def new_address() -> str:
    """Somebody of whom nobody has heard yet."""
    return f"ann-{uuid4().hex[:10]}@customer.example"


class Post:
    """Brings mails to the desk by HTTP and looks at what came of them."""

    def __init__(self, desk: Desk, caller: Caller) -> None:
        self.desk = desk
        self.caller = caller

    async def bring(self, mail: EmailMessage | bytes, query: str = "") -> dict[str, Any]:
        answer = await self.send(mail, query)
        assert answer.status_code in {200, 201}, answer.text
        return answer.json()

    async def send(self, mail: EmailMessage | bytes, query: str = "") -> httpx2.Response:
        raw = mail if isinstance(mail, bytes) else mail.as_bytes()
        return await self.caller.post(
            f"/v1/channels/email{query}", raw, content_type="message/rfc822"
        )

    async def category(self, ticket_id: str) -> str:
        def look(tx: Any) -> str:
            ticket = tx.state(UUID(ticket_id))
            return ticket.category.value

        return await asyncio.to_thread(self.desk.store.transact, look)

    async def key(self) -> bytes:
        return await asyncio.to_thread(self.desk.store.transact, Secret("mail").key)

    async def token(self, number: int) -> str:
        return threading.token(await self.key(), number)
