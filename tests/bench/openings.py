"""Ready-made HTTP requests that open tickets: every one different, made before or between measurements' clock ticks."""

import itertools
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import msgspec

from deploy.local import ports
from shared.identifiers import new_id

TEXT: Final = (
    "Hello, since this morning our printer on the third floor prints every page twice and then stops with a"
    " message that nobody here understands. We have switched it off and on again, twice, and changed the paper."
    " The whole floor waits for it, and the month's invoices have to leave the house before five o'clock today."
    " Could you please have a look at it, or tell us whom to ask?"
)
"""An ordinary message; with it a request has about 600 bytes."""

_ENCODE: Final = msgspec.json.Encoder().encode


def opening_body(number: int, **said: Any) -> bytes:
    """The JSON of one ticket."""
    return _ENCODE(
        {
            "subject": f"Printer {number} prints every page twice",
            "body": TEXT,
            "requester": {
                "id": f"customer-{number % 1_000}",
                "name": "Carla Rossi",
                "email": f"customer-{number % 1_000}@example.org",
                "organization": "Fabrikam",
            },
            "ticket_type": "question",
            "tags": ["printer", "floor-3"],
            **said,
        }
    )


def openings(
    port: int,
    token: str,
    *,
    with_keys: bool = False,
    priority: str = "normal",
    occurred_at: datetime | None = None,
) -> Iterator[bytes]:
    """Requests without end.

    Args:
        port: of the server, for the Host header.
        token: the bearer token.
        with_keys: whether each carries an Idempotency-Key of its own.
        priority: of all the tickets.
        occurred_at: when all of them came; now when left out.
    """
    head = (
        "POST /v1/tickets HTTP/1.1\r\n"
        f"Host: {ports.LOOPBACK}:{port}\r\n"
        f"Authorization: Bearer {token}\r\n"
        "Content-Type: application/json\r\n"
    ).encode()
    said: dict[str, Any] = {"priority": priority}
    if occurred_at is not None:
        said["occurred_at"] = occurred_at
    for number in itertools.count(1):
        body = opening_body(number, **said)
        key = b"Idempotency-Key: %s\r\n" % str(new_id()).encode() if with_keys else b""
        yield b"%s%sContent-Length: %d\r\n\r\n%s" % (head, key, len(body), body)
