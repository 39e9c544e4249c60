"""Bytes to event and back. Readers pass over types they do not know; they never stumble over them."""

from typing import Final, get_args

import msgspec

from shared.errors import Unreadable
from shared.events.agents import AgentEvent
from shared.events.articles import ArticleEvent
from shared.events.assignments import AssignmentEvent
from shared.events.base import Event
from shared.events.configuration import ConfigurationEvent
from shared.events.contacts import ContactEvent
from shared.events.operations import OperationEvent
from shared.events.policies import PolicyEvent
from shared.events.readings import ReadingEvent
from shared.events.sla import SlaEvent
from shared.events.tickets import TicketEvent
from shared.events.triage import TriageEvent

AnyEvent = (
    TicketEvent
    | AssignmentEvent
    | AgentEvent
    | SlaEvent
    | PolicyEvent
    | ConfigurationEvent
    | ArticleEvent
    | ReadingEvent
    | OperationEvent
    | ContactEvent
    | TriageEvent
)

_CLASSES: Final[dict[str, type[Event]]] = {
    str(cls.__struct_config__.tag): cls for cls in get_args(AnyEvent)
}
_DECODERS: Final = {tag: msgspec.json.Decoder(cls) for tag, cls in _CLASSES.items()}
_ENCODER: Final = msgspec.json.Encoder()


class UnknownEvent(msgspec.Struct, frozen=True):
    """An event of a type published by a newer version of its owner: counted and passed over."""

    type: str
    raw: bytes


def known_types() -> dict[str, type[Event]]:
    """Wire type → event class."""
    return dict(_CLASSES)


def encode(event: Event) -> bytes:
    """The JSON that is stored, published and kept for ever."""
    return _ENCODER.encode(event)


def decode(wire_type: str, raw: bytes) -> Event | UnknownEvent:
    """Read one event; unknown fields are ignored.

    Raises:
        Unreadable: the bytes are not the JSON of that type.
    """
    decoder = _DECODERS.get(wire_type)
    if decoder is None:
        return UnknownEvent(wire_type, raw)
    try:
        return decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unreadable(f"{wire_type}: {error}") from error
