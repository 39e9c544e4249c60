"""What conditions of intake's rules may ask: the ticket as it is, and the event that started the rule."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from services.intake.domain.ticket import Ticket
from shared.conditions import CUSTOM, Question, Vocabulary
from shared.events import ActorKind, Channel, Event, Priority, StatusCategory
from shared.events.assignments import GroupChanged, TicketAssigned, TicketUnassigned
from shared.events.satisfaction import SatisfactionRated
from shared.events.sla import SlaBreached, SlaWarning
from shared.events.tickets import (
    CustomerReplied,
    FieldsChanged,
    PriorityChanged,
    StatusChanged,
    SubjectChanged,
    TagsChanged,
    TicketClosed,
    TicketReopened,
    TicketResolved,
    TypeChanged,
)


def _previous(event: Event) -> Any:
    match event:
        case PriorityChanged() | TypeChanged() | SubjectChanged():
            return event.previous
        case StatusChanged() | TicketResolved() | TicketClosed() | TicketReopened():
            return event.previous_category.value
        case GroupChanged():
            return event.previous_group_id
        case TicketAssigned() | TicketUnassigned():
            return event.previous_agent_id
        case _:
            return None


_RANKS: Final = {priority.value: rank for rank, priority in enumerate(Priority)}

_OF_TICKET: Final[Mapping[str, Callable[[Ticket], Any]]] = {
    "channel": lambda ticket: ticket.via.value,
    "subject": lambda ticket: ticket.subject,
    "type": lambda ticket: ticket.ticket_type,
    "language": lambda ticket: ticket.language,
    "tags": lambda ticket: ticket.tags,
    "priority": lambda ticket: _RANKS[ticket.priority.value],
    "status": lambda ticket: ticket.category.value,
    "label": lambda ticket: ticket.label,
    "reopen_count": lambda ticket: ticket.reopen_count,
    "is_outbound": lambda ticket: ticket.is_outbound,
    "is_internal": lambda ticket: ticket.is_internal,
    "is_waiting": lambda ticket: ticket.is_waiting_for_us,
    "requester.id": lambda ticket: ticket.requester_id,
    "requester.email": lambda ticket: ticket.requester_email,
    "requester.organization": lambda ticket: ticket.requester.organization,
    "requester.tier": lambda ticket: ticket.requester.tier,
}

_OF_EVENT: Final[Mapping[str, Callable[[Event], Any]]] = {
    "body": lambda event: getattr(event, "body", None),
    "by": lambda event: event.actor.kind.value,
    "previous": _previous,
    "changed": lambda event: tuple(event.changes) if isinstance(event, FieldsChanged) else (),
    "tags_added": lambda event: event.added if isinstance(event, TagsChanged) else (),
    "tags_removed": lambda event: event.removed if isinstance(event, TagsChanged) else (),
    "is_third_party": lambda event: isinstance(event, CustomerReplied) and event.is_third_party,
    "score": lambda event: event.score.value if isinstance(event, SatisfactionRated) else None,
    "metric": lambda event: event.metric if isinstance(event, SlaWarning | SlaBreached) else None,
    "threshold": lambda event: event.threshold if isinstance(event, SlaWarning) else None,
}

OF_EVENT: Final = frozenset(_OF_EVENT)
"""Fields of what started the rule; time has none of them."""

OF_OWNER: Final = frozenset({"group", "agent"})
"""Who has the ticket: routing's to say, so it costs a look-up by primary key when a condition asks for it."""

VOCABULARY: Final = Vocabulary(
    fields=(*_OF_TICKET, *sorted(OF_OWNER), *_OF_EVENT, "text"),
    closed={
        "channel": tuple(channel.value for channel in Channel),
        "priority": tuple(_RANKS),
        "status": tuple(category.value for category in StatusCategory),
        "by": tuple(kind.value for kind in ActorKind),
    },
    ordered={"priority": _RANKS},
    combined={"text": ("subject", "body")},
    single=frozenset(
        {
            *(
                "type",
                "language",
                "label",
                "group",
                "agent",
                "previous",
                "metric",
                "threshold",
                "score",
            ),
            *("is_outbound", "is_internal", "is_waiting", "is_third_party", "reopen_count"),
            *("requester.id", "requester.email", "requester.organization", "requester.tier"),
        }
    ),
    texts=frozenset({"subject", "body", "text", "requester.email"}),
    lists=frozenset({"tags", "tags_added", "tags_removed", "changed"}),
)
"""`text`: subject or message. `body`, `by`, `previous`, `changed` and what follows them are of the event that started
the rule; time has none of them, and is `by` the system."""


class Owner:
    """Who has the ticket, looked up at most once and only when a condition asks."""

    def __init__(self, look_up: Callable[[], tuple[str | None, str | None]]) -> None:
        self._look_up = look_up
        self._found: tuple[str | None, str | None] | None = None

    @property
    def group_id(self) -> str | None:
        """As routing last said."""
        return self._owner[0]

    @property
    def agent_id(self) -> str | None:
        """As routing last said."""
        return self._owner[1]

    @property
    def _owner(self) -> tuple[str | None, str | None]:
        if self._found is None:
            self._found = self._look_up()
        return self._found


class Subject(Question):
    """A ticket at the turn of a rule.

    Args:
        ticket: as it is then, with what earlier rules changed.
        event: that started it; None: time did.
        owner: who has it.
        at: for conditions on business hours.
    """

    __slots__ = ("_event", "_owner", "ticket")

    def __init__(self, ticket: Ticket, event: Event | None, owner: Owner, at: datetime) -> None:
        super().__init__(at)
        self.ticket = ticket
        self._event = event
        self._owner = owner

    def look(self, field: str) -> Any:
        if field.startswith(CUSTOM):
            return self.ticket.fields.get(field.removeprefix(CUSTOM))
        if (of_ticket := _OF_TICKET.get(field)) is not None:
            return of_ticket(self.ticket)
        if field == "group":
            return self._owner.group_id
        if field == "agent":
            return self._owner.agent_id
        if self._event is None:
            return ActorKind.SYSTEM.value if field == "by" else None
        return _OF_EVENT[field](self._event)
