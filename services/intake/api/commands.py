"""How every command comes in over HTTP and is answered: body, caller, conditions; receipt, version."""

from typing import Any, Final, TypeVar
from uuid import UUID

from fastapi import Request, Response

from services.intake.api import bodies, translate
from services.intake.app import Asking, Receipt
from shared.clock import Clock
from shared.errors import Invalid
from shared.eventstore import Outcome
from shared.http.bodies import json_answer, read_json
from shared.http.conditional import etag, version_expected
from shared.http.idempotency import CommandKey
from shared.http.openapi import openapi_body
from shared.http.origin import Origin
from shared.security import Principal

B = TypeVar("B", bound=bodies.Asked)

_EMPTY: Final = frozenset(
    {
        bodies.Close,
        bodies.Confirm,
        bodies.Reopen,
        bodies.Unlink,
        bodies.Unmerge,
        bodies.Removal,
        bodies.ApplyMacro,
        bodies.UndoStep,
    }
)
"""Commands that need say nothing."""

_HEADERS: Final = [
    {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "schema": {"type": "string", "maxLength": 255},
        "description": "Makes the command happen once: a repetition gets the first answer, for good.",
    },
    {
        "name": "If-Match",
        "in": "header",
        "required": False,
        "schema": {"type": "string"},
        "description": 'The version you looked at, such as `"7"`; else 412.',
    },
]


async def read(
    request: Request, wanted: type[B], principal: Principal, clock: Clock
) -> tuple[B, Asking]:
    """The body and who asks. A command without fields of its own may come without a body."""
    key = CommandKey.of(request, principal)
    raw = await request.body()
    body = await read_json(request, wanted) if raw or not _may_be_empty(wanted) else wanted()
    return body, translate.asking(
        body,
        Origin.of(request, principal),
        now=clock.now(),
        if_match=version_expected(request),
        claim=None if key is None else key.claim(raw),
    )


def _may_be_empty(wanted: type[bodies.Asked]) -> bool:
    return wanted in _EMPTY


def answer(
    outcome: Outcome[Receipt], status: int = 200, *, location: str | None = None
) -> Response:
    """The receipt as JSON, its version as the ETag."""
    headers = {"ETag": etag(outcome.result.version)}
    if location is not None:
        headers["Location"] = location
    if outcome.replayed:
        headers["Idempotency-Replayed"] = "true"
    return json_answer(outcome.result, status=status, headers=headers)


def uuid_of(text: str, name: str = "ticket_id") -> UUID:
    """An id out of the address.

    Raises:
        Invalid: it is none; `name` is the place.
    """
    try:
        return UUID(text)
    except ValueError:
        raise Invalid.of(f"path {name}", "expected a UUID") from None


def documents(
    body: type[bodies.Asked], status: int = 200, *, answer: Any = Receipt
) -> dict[str, Any]:
    """What the API document says of a command."""
    extra = openapi_body(body, answer=answer, status=status, description="The ticket as it is now.")
    return {**extra, "parameters": _HEADERS}
