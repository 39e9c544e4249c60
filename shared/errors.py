"""Errors name who must act.

    TicketingError
    ├── Refused            the caller: the rules say no                         409
    │   ├── NotFound       the caller: there is no such thing                   404
    │   ├── Invalid        the caller: a field is malformed                     422
    │   ├── Forbidden      the caller: not allowed to                           403
    │   ├── Conflict       the caller: it looked at an older version            412
    │   └── KeyReused      the caller: same Idempotency-Key, other request      422
    ├── NotYet             the caller, later: we have not heard of it yet       503 + Retry-After
    └── Unreadable         nobody: parked with its ticket
    anything else          us: retried with growing pauses, then loud

Expected refusals never page anybody.
"""

from collections.abc import Sequence
from dataclasses import dataclass


class TicketingError(Exception):
    """Root of all errors that the product raises on purpose."""


class Refused(TicketingError):
    """The rules say no; the message says why, in words for the caller.

    Args:
        detail: the reason, one sentence.
        field: the field of the request that is the cause, when there is one.
    """

    status = 409
    title = "Refused"

    def __init__(self, detail: str, *, field: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.field = field

    @property
    def code(self) -> str:
        """A stable word for programs: the name of the fact, in snake_case."""
        name = type(self).__name__
        return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


class NotFound(Refused):
    """There is no such thing, or the caller may not know that there is."""

    status = 404
    title = "Not found"


@dataclass(frozen=True, slots=True)
class FieldError:
    """One malformed field: its path (`tags[2]`, `header If-Match`) and what is wrong with it."""

    field: str
    message: str


class Invalid(Refused):
    """The request is malformed; every field at fault is named."""

    status = 422
    title = "Malformed request"

    def __init__(self, detail: str, *, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(detail, field=errors[0].field if errors else None)
        self.errors = tuple(errors)

    @classmethod
    def of(cls, field: str, message: str) -> "Invalid":
        """The request is malformed in this one field."""
        return cls(f"{field}: {message}", errors=[FieldError(field, message)])


class Forbidden(Refused):
    """The caller is known and is not allowed to do this."""

    status = 403
    title = "Forbidden"


class Conflict(Refused):
    """The caller looked at an older version (`If-Match`, `expected_version`)."""

    status = 412
    title = "Version has moved on"


class KeyReused(Refused):
    """The same `Idempotency-Key` came with another request."""

    status = 422
    title = "Idempotency-Key used for another request"


class NotYet(TicketingError):
    """What the command speaks of has not reached this service yet; asking again soon will work."""

    def __init__(self, detail: str, *, retry_after_seconds: int = 1) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after_seconds = retry_after_seconds


class Unreadable(TicketingError):
    """An event that can never be handled as it is: it is parked together with its stream."""
