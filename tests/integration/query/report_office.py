"""Two processes that mail reports, one mail server, and a clock that the test moves."""

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import httpx2
from aiosmtpd.controller import Controller

from services.query.mailing.sender import ReportMailer
from services.query.main import build
from services.query.parts import Parts
from services.query.settings import Settings
from services.query.views.freshness import Freshness
from shared.mail import SmtpServer
from shared.security import Role
from tests.integration.query.conftest import Reader
from tests.integration.query.stories import Story

BODY = {
    "report": "volume",
    "by": "type",
    "period": "day",
    "time_zone": "Europe/Berlin",
    "recipients": ["lead@example.com", "Boss@Example.com"],
}


class Postbox:
    """What arrived, and what the server says instead of yes."""

    def __init__(self) -> None:
        self.letters: list[EmailMessage] = []
        self.answer: str | None = None
        self.refused: set[str] = set()

    async def handle_RCPT(  # noqa: N802 - named by the library
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        if address in self.refused:
            return f"550 no such person: {address}"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - named by the library
        self, server: Any, session: Any, envelope: Any
    ) -> str:
        if self.answer:
            return self.answer
        letter = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(letter, EmailMessage)
        letter["X-Envelope-To"] = ", ".join(envelope.rcpt_tos)
        self.letters.append(letter)
        return "250 taken"


@dataclass
class Office:
    """Two processes of the service, one mail server, and a clock that the test moves."""

    reader: Reader
    http: httpx2.AsyncClient
    postbox: Postbox
    mailers: tuple[ReportMailer, ReportMailer]
    parts: tuple[Parts, Parts]
    now: datetime

    async def ask(
        self, method: str, path: str, *, role: Role = Role.SUPERVISOR, **said: Any
    ) -> httpx2.Response:
        token = self.reader.issuer.issue("sue", role)
        return await self.http.request(
            method, path, headers={"Authorization": f"Bearer {token}"}, **said
        )

    async def put(self, name: str, **changes: Any) -> dict[str, Any]:
        answer = await self.ask("PUT", f"/v1/reports/subscriptions/{name}", json=BODY | changes)
        assert answer.status_code in {200, 201}, answer.text
        content: dict[str, Any] = answer.json()
        return content

    def go(self, **length: float) -> None:
        self.now += timedelta(**length)
        for parts in self.parts:
            parts.lag.freshness = Freshness(self.now, 0, 1)

    async def until_due(self, name: str) -> datetime:
        """Go to the moment from which on the next period may be told."""
        told = (await self.ask("GET", f"/v1/reports/subscriptions/{name}")).json()
        self.now = datetime.fromisoformat(told["next_due_at"])
        self.go()
        return self.now

    def to(self, address: str) -> list[EmailMessage]:
        return [one for one in self.postbox.letters if one["to"] == address]


def free_port() -> int:
    """Nobody listens there."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def mail_server(postbox: Postbox) -> Iterator[int]:
    """One that puts everything into the box; its port."""
    controller = Controller(postbox, hostname="127.0.0.1", port=free_port())
    controller.start()
    yield controller.port
    controller.stop()


@asynccontextmanager
async def report_office(reader: Reader, settings: Settings) -> AsyncIterator[Office]:
    """Open until the end of the block."""
    own = settings.model_copy(
        update={
            "report_mail_host": "127.0.0.1",
            "report_mail_sender": "reports@desk.example.com",
            "public_url": "https://desk.example.com/",
            "report_mail_domains": "example.com, example.org",
        }
    )
    postbox = Postbox()
    services = (build(own), build(own))
    for service in services:
        service.store.open()
    transport = httpx2.ASGITransport(app=services[0].api)
    with mail_server(postbox) as port:
        async with httpx2.AsyncClient(transport=transport, base_url="http://query") as http:
            parts = (services[0].api.state.parts, services[1].api.state.parts)

            def mailer(one: Parts) -> ReportMailer:
                return ReportMailer(
                    one,
                    server=SmtpServer(host="127.0.0.1", port=port, security="none"),
                    sender="reports@desk.example.com",
                    public_url="https://desk.example.com/",
                    seconds=1,
                    now=lambda: found.now,
                )

            found = Office(
                reader,
                http,
                postbox,
                (mailer(parts[0]), mailer(parts[1])),
                parts,
                datetime.now(UTC),
            )
            found.go()
            yield found
    for service in services:
        await service.stop()


def todays_story(**opened: Any) -> Story:
    """A ticket of the day that is told next."""
    return Story(7, at=datetime.now(UTC)).opened(**opened)
