"""A running intake without its server process: the API called in place, the store on a real PostgreSQL."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import httpx2
from pydantic import SecretStr

from services.intake.main import build
from services.intake.settings import Settings
from shared.events import Event
from shared.eventstore import EventStore
from shared.security.issuer import LocalIssuer
from shared.service import Service
from tests.support.database import Database

P = TypeVar("P")


class Desk:
    """What tests look at: the answers over HTTP and the events in the store."""

    def __init__(self, service: Service, http: httpx2.AsyncClient) -> None:
        self.service = service
        self.http = http
        assert isinstance(service.store, EventStore)
        self.store = service.store

    def running(self, kind: type[P]) -> P:
        """The one of this kind whose `run` is a task of the service."""
        owners = (getattr(task, "__self__", None) for task in self.service._task_makers)
        (found,) = (one for one in owners if isinstance(one, kind))
        return found

    async def events(self, ticket_id: str) -> list[Event]:
        return await asyncio.to_thread(self.store.history, UUID(ticket_id))

    async def names(self, ticket_id: str) -> list[str]:
        return [type(event).__name__ for event in await self.events(ticket_id)]

    async def rows(self, query: str, *parameters: Any) -> list[dict[str, Any]]:
        pool = await self.store.pool()
        async with pool.connection() as connection:
            return await (await connection.execute(query, parameters)).fetchall()


class Caller:
    """Somebody with a token."""

    def __init__(self, desk: Desk, token: str) -> None:
        self.desk = desk
        self._headers = {"Authorization": f"Bearer {token}"}

    async def send(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> httpx2.Response:
        extra = {name.replace("_", "-"): value for name, value in headers.items()}
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        kind = extra.pop("content-type", "application/json")
        return await self.desk.http.request(
            method,
            path,
            content=b"" if body is None else content,
            headers={**self._headers, "content-type": kind, **extra},
        )

    async def post(self, path: str, body: Any = None, **headers: str) -> httpx2.Response:
        return await self.send("POST", path, body, **headers)

    async def open(self, **said: Any) -> dict[str, Any]:
        """A ticket that was opened; the receipt."""
        answer = await self.post("/v1/tickets", {"subject": "Fire", "body": "It burns."} | said)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def batch(self, *lines: dict[str, Any] | bytes) -> list[dict[str, Any]]:
        """The answers to a batch."""
        body = b"\n".join(
            line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines
        )
        answer = await self.post("/v1/tickets/batch", body, content_type="application/x-ndjson")
        assert answer.status_code == 200, answer.text
        return [json.loads(line) for line in answer.text.splitlines()]


@asynccontextmanager
async def open_desk(
    database: Database, issuer: LocalIssuer, folder: Path | None = None
) -> AsyncIterator[Desk]:
    """`folder`: where files are kept, for tests that send any."""
    settings = Settings(
        database_url=SecretStr(database.url("intake")),
        kafka_bootstrap_servers="127.0.0.1:1",  # nothing here publishes
        jwks_file=issuer.jwks_file,
        database_pool_size=4,
        attachments_folder=folder or Path("/dev/null/no-folder"),
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
