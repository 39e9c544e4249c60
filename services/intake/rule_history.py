"""The rules in time: every version, from the log."""

import msgspec

from services.intake.configuration import RULES
from services.intake.domain.rules import RuleSet
from services.intake.steps import Tx
from shared.errors import NotFound
from shared.events.configuration import ConfigurationDefined, configuration_stream
from shared.rule_history import RulesVersion, changes


def versions(tx: Tx) -> list[RulesVersion]:
    """Every version, newest first."""
    return [
        RulesVersion(
            version=event.version,
            at=event.occurred_at,
            by=event.actor.name or event.actor.id,
            **changes(_rules(event.previous).rules, _rules(event.definition).rules),
        )
        for event in reversed(_events(tx))
    ]


def at(tx: Tx, version: int) -> RuleSet:
    """The rules of a version.

    Raises:
        NotFound: there is no such version.
    """
    for event in _events(tx):
        if event.version == version:
            return _rules(event.definition)
    raise NotFound(f"the rules have no version {version}", field="path version")


def _events(tx: Tx) -> list[ConfigurationDefined]:
    found = tx.history(configuration_stream("rules", RULES))
    return [event for event in found if isinstance(event, ConfigurationDefined)]


def _rules(definition: dict[str, object] | None) -> RuleSet:
    return msgspec.convert(definition or {}, RuleSet)
