"""Identifiers: time-ordered for what is new, derived for what must come out the same again."""

import re
from typing import Final
from uuid import UUID, uuid5

import uuid_utils.compat

_NAMESPACE: Final = UUID("6f0d3f0e-5c0b-5d53-9d57-1d8a4a5a7c11")
_SLUG: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def new_id() -> UUID:
    """A UUIDv7 (RFC 9562): random, and sorted by the millisecond of its making."""
    return uuid_utils.compat.uuid7()


def derived_id(kind: str, *parts: object) -> UUID:
    """The same UUIDv5 for the same `kind` and `parts`, on every machine and after every restart."""
    return uuid5(_NAMESPACE, "\x1f".join((kind, *map(str, parts))))


def is_slug(text: str) -> bool:
    """Whether `text` may name a group, an agent, a policy, a calendar or a rule set."""
    return _SLUG.fullmatch(text) is not None
