"""What a new version of an ordered rule set changed, in a line for people."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol, TypedDict

import msgspec


class RulesVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One version: who made it when, and which rules it added, changed, removed or moved, by id."""

    version: int
    at: datetime
    by: str
    rules_count: int
    added: list[str]
    changed: list[str]
    removed: list[str]
    moved: list[str]


class Changes(TypedDict):
    """The part of a version that follows from the rules themselves."""

    rules_count: int
    added: list[str]
    changed: list[str]
    removed: list[str]
    moved: list[str]


class _Rule(Protocol):
    @property
    def id(self) -> Any: ...


def changes(before: Sequence[_Rule], after: Sequence[_Rule]) -> Changes:
    """What makes one rule set of the other. Moved are rules whose place among those that stayed is another now."""
    was = {rule.id: rule for rule in before}
    now = {rule.id: rule for rule in after}
    old = [rule.id for rule in before if rule.id in now]
    new = [rule.id for rule in after if rule.id in was]
    return {
        "rules_count": len(after),
        "added": [name for name in now if name not in was],
        "changed": [name for name in now if name in was and now[name] != was[name]],
        "removed": [name for name in was if name not in now],
        "moved": [name for place, name in enumerate(new) if old[place] != name],
    }
