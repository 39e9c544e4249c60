"""What operators do to a service, into its own log: beside what they do, in the same transaction."""

from collections.abc import Callable
from typing import Any, Final, Protocol
from uuid import UUID

import msgspec

from shared.database import Transaction
from shared.events import Actor, Channel, Owner
from shared.events.operations import (
    IntakeOperation,
    OperationRecorded,
    RoutingOperation,
    SlaOperation,
    operations_stream,
)
from shared.eventstore import EventTransaction


class Asked(Protocol):
    """Who asks, through what, within which request."""

    @property
    def actor(self) -> Actor: ...
    @property
    def via(self) -> Channel: ...
    @property
    def correlation_id(self) -> str: ...


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """What was done, by whom, from where; the fields of the event that it becomes."""

    what: str
    about: str
    actor: Actor
    via: Channel
    correlation_id: str
    ticket_id: UUID | None = None
    changes: dict[str, tuple[Any, Any]] = {}
    count: int = 1

    @classmethod
    def by(cls, asked: Asked, what: str, about: str, **more: Any) -> "Operation":
        """One that a caller asked for."""
        return cls(
            what=what,
            about=about,
            actor=asked.actor,
            via=asked.via,
            correlation_id=asked.correlation_id,
            **more,
        )


Note = Callable[[Transaction, Operation], None]
"""Adds an operation to a service's log, in the given transaction."""

_KINDS: Final[dict[Owner, type[OperationRecorded]]] = {
    kind.OWNER: kind for kind in (IntakeOperation, RoutingOperation, SlaOperation)
}


def note_in_events(tx: Transaction, done: Operation) -> None:
    """Into the log of a service with an event store."""
    assert isinstance(tx, EventTransaction)
    stream = operations_stream(tx.owner, done.ticket_id or done.about)
    fields = msgspec.structs.asdict(done)
    tx.append(
        _KINDS[tx.owner](
            version=tx.version(stream) + 1, occurred_at=tx.now, recorded_at=tx.now, **fields
        )
    )
