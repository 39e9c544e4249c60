"""The wire: every event that any service stores and publishes, and how it is read back."""

from shared.events.base import (
    Actor,
    ActorKind,
    Channel,
    Event,
    Owner,
    Priority,
    Stamp,
    StatusCategory,
)
from shared.events.codec import UnknownEvent, decode, encode, known_types

__all__ = [
    "Actor",
    "ActorKind",
    "Channel",
    "Event",
    "Owner",
    "Priority",
    "Stamp",
    "StatusCategory",
    "UnknownEvent",
    "decode",
    "encode",
    "known_types",
]
