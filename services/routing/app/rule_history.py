"""The rule set in time: every version, from the log."""

import asyncio
from datetime import datetime
from typing import Any, cast

import msgspec

from services.routing.app.asking import RulesView
from shared.errors import NotFound
from shared.events.agents import RULES_STREAM, RoutingRule, RoutingRulesDefined, RuleMode
from shared.eventstore import EventStore


class RulesVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One version: who made it when, and which rules it added, changed, removed or moved, by id."""

    version: int
    at: datetime
    by: str
    mode: RuleMode
    rules_count: int
    added: list[str]
    changed: list[str]
    removed: list[str]
    moved: list[str]


class RuleHistory:
    """Reads the rule set's stream; its versions are few."""

    def __init__(self, store: EventStore[Any]) -> None:
        self._store = store

    async def versions(self) -> list[RulesVersion]:
        """Every version, newest first."""
        return [_version(event) for event in reversed(await self._events())]

    async def at(self, version: int) -> RulesView:
        """The rule set of a version.

        Raises:
            NotFound: there is no such version.
        """
        for event in await self._events():
            if event.version == version:
                return RulesView(event.version, event.rules, event.mode)
        raise NotFound(f"the rules have no version {version}", field="path version")

    async def _events(self) -> list[RoutingRulesDefined]:
        events = await asyncio.to_thread(self._store.history, RULES_STREAM)
        return [cast(RoutingRulesDefined, event) for event in events]


def _version(event: RoutingRulesDefined) -> RulesVersion:
    before = {rule.id: rule for rule in event.previous}
    after = {rule.id: rule for rule in event.rules}
    return RulesVersion(
        version=event.version,
        at=event.occurred_at,
        by=event.actor.name or event.actor.id,
        mode=event.mode,
        rules_count=len(event.rules),
        added=[name for name in after if name not in before],
        changed=[name for name in after if name in before and after[name] != before[name]],
        removed=[name for name in before if name not in after],
        moved=_moved(event.previous, event.rules),
    )


def _moved(before: tuple[RoutingRule, ...], after: tuple[RoutingRule, ...]) -> list[str]:
    """Rules whose place among those that stayed is another now."""
    old = [rule.id for rule in before if rule.id in {one.id for one in after}]
    new = [rule.id for rule in after if rule.id in set(old)]
    return [name for place, name in enumerate(new) if old[place] != name]
