"""What all events have in common: who, when, through what, because of what."""

from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import ClassVar, Final, TypedDict
from uuid import UUID

import msgspec


class Owner(StrEnum):
    """The service that alone writes a kind of event."""

    INTAKE = "intake"
    ROUTING = "routing"
    SLA = "sla"


class ActorKind(StrEnum):
    """Which side an actor stands on."""

    CUSTOMER = "customer"
    AGENT = "agent"
    SYSTEM = "system"
    SERVICE = "service"


class Actor(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who did it. `id` is stable (a subject of the identity provider, an agent's id); `name` is for people.

    `ip`: the address that a command over HTTP came from; shown to supervisors and admins only.
    """

    kind: ActorKind
    id: str
    name: str | None = None
    ip: str | None = None

    @property
    def signature(self) -> str | None:
        """The name under which customers read what was written; a rule or another part of the product has none."""
        return None if self.kind is ActorKind.SYSTEM else self.name


class Channel(StrEnum):
    """The way something came to us (`via`). It never changes afterwards."""

    API = "api"
    EMAIL = "email"
    FORM = "form"
    CHAT = "chat"
    MESSENGER = "messenger"
    PHONE = "phone"
    AGENT = "agent"
    IMPORT = "import"
    SYSTEM = "system"


class Priority(StrEnum):
    """Urgency, least first."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    URGENT = "urgent"


class StatusCategory(StrEnum):
    """What clocks and queues look at; labels are free, categories are not.

    `answered`: the agent spoke last. `pending`: the customer must give something. `hold`: a third party must.
    `postponed`: an agent will look again at a given moment. A ticket that waits for an agent to be found is
    `new` or `open` and queued, which routing says.
    """

    NEW = "new"
    OPEN = "open"
    ANSWERED = "answered"
    PENDING = "pending"
    HOLD = "hold"
    POSTPONED = "postponed"
    SOLVED = "solved"
    CLOSED = "closed"


TAKING_CAPACITY: Final = frozenset(
    {StatusCategory.NEW, StatusCategory.OPEN, StatusCategory.ANSWERED}
)
"""In which categories a ticket takes room in its agent's hands (R5): the one definition of an agent's load.

`answered` counts: the agent spoke last, and the next word comes back to the same agent. Pending, hold, postponed,
solved and closed free the room; the assignee stays.
"""


class Stamp(TypedDict):
    """The fields that every event carries beside its own."""

    version: int
    occurred_at: datetime
    recorded_at: datetime
    actor: Actor
    via: Channel
    correlation_id: str
    causation_id: str | None


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """A fact in one stream. What is stored is what is published, byte for byte.

    Attributes:
        version: 1, 2, 3 … without a gap in its stream.
        occurred_at: when it happened in the world (aware UTC).
        recorded_at: when we stored it (aware UTC); later than `occurred_at` for imports and late mail.
        actor: who did it.
        via: through which channel.
        correlation_id: the same for everything that one request set in motion.
        causation_id: `<owner>:<stream id>:<version>` of the event that made this one happen, if one did.
    """

    OWNER: ClassVar[Owner]

    version: int
    occurred_at: datetime
    recorded_at: datetime
    actor: Actor
    via: Channel
    correlation_id: str
    causation_id: str | None = None

    @property
    def stream_id(self) -> UUID:
        """The stream this event belongs to: its Kafka key and its `originator_id` in the store."""
        raise NotImplementedError

    @property
    def wire_type(self) -> str:
        """For example `ticket.opened.v1`."""
        return _wire_type(type(self))

    @property
    def event_id(self) -> str:
        """`<owner>:<stream id>:<version>`, unique for ever; the CloudEvents id."""
        return f"{self.OWNER}:{self.stream_id}:{self.version}"

    # What the `eventsourcing` library calls the same things.

    @property
    def originator_id(self) -> UUID:
        return self.stream_id

    @property
    def originator_version(self) -> int:
        return self.version

    @property
    def timestamp(self) -> datetime:
        return self.recorded_at


@cache
def _wire_type(kind: type[Event]) -> str:
    """Looked up for every event that is stored, and its way through msgspec's configuration is a long one."""
    return str(kind.__struct_config__.tag)
