"""The rule set in time: every version, from the log."""

import asyncio
from typing import Any, cast

from services.routing.app.asking import RulesView
from shared import rule_history
from shared.errors import NotFound
from shared.events.agents import RULES_STREAM, RoutingRulesDefined, RuleMode
from shared.eventstore import EventStore


class RulesVersion(rule_history.RulesVersion, frozen=True, kw_only=True):
    """One version, and which of the rules that match count under it."""

    mode: RuleMode


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
    return RulesVersion(
        version=event.version,
        at=event.occurred_at,
        by=event.actor.name or event.actor.id,
        mode=event.mode,
        **rule_history.changes(event.previous, event.rules),
    )
