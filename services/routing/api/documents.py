"""The rule set as people write and read it: one document, in JSON over HTTP, in YAML or JSON as a file."""

import msgspec

from services.routing.app.asking import RulesView
from services.routing.domain.rules import DEFAULT_RULE
from shared.conditions import ConditionBody
from shared.errors import Invalid
from shared.events.agents import RoutingRule, RuleMode


class RuleBody(RoutingRule, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule, in which a misspelt word is not passed over."""

    when: tuple[ConditionBody, ...] = ()  # type: ignore[assignment]

    def plain(self) -> RoutingRule:
        """As events carry it."""
        values = {name: getattr(self, name) for name in RoutingRule.__struct_fields__}
        return RoutingRule(**values | {"when": tuple(part.plain() for part in self.when)})


class RulesBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All rules in order; what none of them gives a group goes to `default_group`. `mode`: which of them count."""

    rules: tuple[RuleBody, ...]
    default_group: str | None = None
    mode: RuleMode = RuleMode.FIRST

    def ordered(self) -> tuple[RoutingRule, ...]:
        """The rules with the default as the last one, which asks nothing.

        Raises:
            Invalid: a rule of the caller bears the name of the default.
        """
        for place, rule in enumerate(self.rules):
            if rule.id == DEFAULT_RULE:
                message = "is the name of the rule made from default_group"
                raise Invalid.of(f"rules[{place}].id", message)
        rules = tuple(rule.plain() for rule in self.rules)
        if self.default_group is None:
            return rules
        return (*rules, RoutingRule(id=DEFAULT_RULE, group=self.default_group))


class RulesDocument(msgspec.Struct, frozen=True):
    """The rule set as it is, in the shape in which it is put."""

    version: int
    rules: tuple[RoutingRule, ...]
    default_group: str | None
    mode: RuleMode

    @classmethod
    def of(cls, view: RulesView) -> "RulesDocument":
        """Take the default rule out of the ordered list."""
        rules = view.rules
        if rules and rules[-1].id == DEFAULT_RULE:
            return cls(view.version, rules[:-1], rules[-1].group, view.mode)
        return cls(view.version, rules, None, view.mode)
