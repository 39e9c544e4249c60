"""Events about the services themselves: what operators did to them, and who was refused."""

from typing import Any, ClassVar
from uuid import UUID

from shared.events.base import Event, Owner
from shared.identifiers import derived_id


class OperationRecorded(Event, frozen=True, kw_only=True):
    """Somebody did something that is no change of a ticket, a person or a document.

    Attributes:
        what: `mail.retry`, `parked.discard`, `import.start`, `login.refused` …; its sentence is made from it.
        about: what it was done to: a mail's id, a stream's, a rota's.
        ticket_id: whose history it belongs to, if it is about one ticket.
        changes: field → old and new value.
        count: how often, where many of the same kind are told together.
    """

    what: str
    about: str
    ticket_id: UUID | None = None
    changes: dict[str, tuple[Any, Any]] = {}
    count: int = 1

    @property
    def stream_id(self) -> UUID:
        return operations_stream(self.OWNER, self.ticket_id or self.about)


class IntakeOperation(OperationRecorded, frozen=True, tag="intake_operation.recorded.v1"):
    """Somebody operated intake. `what`: `mail.retry`, `message.discard`, …; `about`: on which mail, stream, rota."""

    OWNER: ClassVar[Owner] = Owner.INTAKE


class RoutingOperation(OperationRecorded, frozen=True, tag="routing_operation.recorded.v1"):
    """Somebody operated routing. `what`: `parked.discard`, `import.start`, …; `about`: on which mail, stream, rota."""

    OWNER: ClassVar[Owner] = Owner.ROUTING


class SlaOperation(OperationRecorded, frozen=True, tag="sla_operation.recorded.v1"):
    """Somebody operated sla. `what`: `delivery.replay`, `feed.make`, …; `about`: on which mail, stream, rota."""

    OWNER: ClassVar[Owner] = Owner.SLA


OperationEvent = IntakeOperation | RoutingOperation | SlaOperation


def operations_stream(owner: Owner, about: UUID | str) -> UUID:
    """The stream of a service's operations on one ticket or one thing; beside the ticket's own, as with readings."""
    return derived_id("operations", owner.value, str(about))
