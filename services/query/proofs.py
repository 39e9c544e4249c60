"""What the services say to prove one ticket's history: asked through the front door, by the right of the caller."""

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

import httpx2
import msgspec

from services.query.views.audit import READS
from shared.errors import NotYet, Refused
from shared.events import Owner
from shared.events.operations import operations_stream
from shared.events.readings import readings_stream

_SECONDS_MAX: Final = 15.0
"""A service that takes longer for the hashes of one ticket is ill."""

_BYTES_MAX: Final = 8_000_000
"""Of one service's answer: twice what the hashes of as many events take as it may tell."""


class NoFrontDoor(Refused):
    """This installation has not said where the other services are."""

    status = 501
    title = "Not set up"


class ProofRefused(Refused):
    """A service will not prove this history; its own words say why."""

    status = 422
    title = "Cannot be proven as a file"


class Proofs:
    """Asks the services.

    Args:
        address: of the front door; None: nobody can be asked.
    """

    def __init__(self, address: str | None) -> None:
        self._address = address
        self.transport: httpx2.AsyncBaseTransport | None = None

    async def of(self, ticket_id: UUID, events: Sequence[dict[str, Any]], token: str) -> bytes:
        """One line for each service, as `ticketing audit verify --file` reads it.

        Args:
            ticket_id: whose history it is.
            events: of the history, as the audit tells them.
            token: of whoever asks; each service checks it.

        Raises:
            NoFrontDoor: it is not set where the services are.
            ProofRefused: a service refuses.
            NotYet: a service does not answer.
        """
        if self._address is None:
            raise NoFrontDoor("Proofs need the setting TICKETING_FRONT_DOOR_URL.")
        async with httpx2.AsyncClient(
            base_url=self._address,
            headers={"Authorization": f"Bearer {token}"},
            timeout=_SECONDS_MAX,
            follow_redirects=False,
            trust_env=False,
            transport=self.transport,
        ) as door:
            # One after the other: each is a few milliseconds, and four at once could all wait for one worker.
            lines = [
                await _line(door, service, streams)
                for service, streams in proven_streams(ticket_id, events).items()
            ]
        return b"".join(line + b"\n" for line in lines)


def proven_streams(ticket_id: UUID, events: Sequence[dict[str, Any]]) -> dict[str, list[UUID]]:
    """By service: the streams of these events, and those whose absence would be missed."""
    found = {owner.value: {ticket_id, operations_stream(owner, ticket_id)} for owner in Owner}
    found[Owner.INTAKE].add(readings_stream(ticket_id))
    for event in events:
        if event["topic"] != READS:
            found[event["event_id"].partition(":")[0]].add(event["stream_id"])
    return {
        **{service: sorted(streams) for service, streams in found.items()},
        "query": [ticket_id],
    }


async def _line(door: httpx2.AsyncClient, service: str, streams: list[UUID]) -> bytes:
    query = urlencode({"stream": [str(one) for one in streams]}, doseq=True)
    said = bytearray()
    try:
        async with door.stream("GET", f"/v1/audit/roots/{service}/proofs?{query}") as answer:
            async for piece in answer.aiter_bytes():
                said += piece
                if len(said) > _BYTES_MAX:
                    raise ProofRefused(f"{service} says more than {_BYTES_MAX} bytes.")
    except httpx2.HTTPError as error:
        raise _unreachable(service, type(error).__name__) from None
    if answer.status_code >= httpx2.codes.INTERNAL_SERVER_ERROR:
        raise _unreachable(service, str(answer.status_code))
    if answer.status_code != httpx2.codes.OK:
        raise ProofRefused(f"{service}: {_words(bytes(said))}")
    return bytes(said).strip()


def _unreachable(service: str, why: str) -> NotYet:
    return NotYet(f"{service} does not say its proofs ({why}).", retry_after_seconds=2)


def _words(problem: bytes) -> str:
    try:
        said = msgspec.json.decode(problem, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return "no reason given"
    return str(said.get("detail") or said.get("title") or "no reason given")
