"""What conditions may ask of a ticket that routing sees."""

from datetime import datetime
from typing import Any, Final

from services.routing.domain.ticket import RANKS, Facts
from shared import conditions
from shared.conditions import CUSTOM, Vocabulary
from shared.events.base import Channel

_PLAIN_FIELDS: Final = {
    "channel": "channel",
    "subject": "subject",
    "body": "body",
    "type": "ticket_type",
    "language": "language",
    "tags": "tags",
    "is_outbound": "is_outbound",
    "requester.id": "requester_id",
    "requester.email": "requester_email",
    "requester.organization": "organization",
    "requester.tier": "tier",
}
_RANK_OF: Final = {priority.value: rank for priority, rank in RANKS.items()}

VOCABULARY: Final = Vocabulary(
    fields=(*_PLAIN_FIELDS, "text", "priority", "group"),
    closed={
        "channel": tuple(channel.value for channel in Channel),
        "priority": tuple(_RANK_OF),
    },
    ordered={"priority": _RANK_OF},
    combined={"text": ("subject", "body")},
    single=frozenset(
        {
            *("type", "language", "group", "is_outbound", "requester.id", "requester.email"),
            *("requester.organization", "requester.tier"),
        }
    ),
    texts=frozenset({"subject", "body", "text", "requester.email"}),
)
"""`text`: subject or body; `group`: where the ticket is already."""

BODY: Final = frozenset({"body"})
"""Known only while the ticket opens: the words of the message are not kept here."""

OF_BODY: Final = BODY | {"text"}
"""Fields that ask of it."""


class Question(conditions.Question):
    """One ticket at one moment, as the conditions see it.

    Args:
        facts: of the ticket.
        rank: of its priority.
        at: the moment that `hours.<calendar>` asks about.
        group: where the ticket is already.
    """

    __slots__ = ("_facts", "_group", "_rank")

    def __init__(
        self, facts: Facts, rank: int, at: datetime | None = None, group: str | None = None
    ) -> None:
        super().__init__(at)
        self._facts = facts
        self._rank = rank
        self._group = group

    def look(self, field: str) -> Any:
        if field.startswith(CUSTOM):
            return self._facts.fields.get(field.removeprefix(CUSTOM))
        if field == "priority":
            return self._rank
        return self._group if field == "group" else getattr(self._facts, _PLAIN_FIELDS[field])
