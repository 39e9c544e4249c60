"""What the documents of all kinds of sinks share, and what each needs to become a sink."""

import msgspec

from services.sla.alerts.delivery import Poster
from services.sla.alerts.notice import Action, Alert
from services.sla.alerts.secrets import Secrets


class When(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Which alerts go to a sink: every list that is given must hold the alert's own value.

    `groups` and `policies` by id; `kinds`: `breach`, `warning`. `steps` of a ladder: `2` means all of the
    step, `2:1` one level of its page. `targets`: one of those that the step calls (`agent:anna`). Lists
    that are absent ask nothing.
    """

    policies: frozenset[str] | None = None
    groups: frozenset[str] | None = None
    priorities: frozenset[str] | None = None
    metrics: frozenset[str] | None = None
    kinds: frozenset[str] | None = None
    steps: frozenset[str] | None = None
    targets: frozenset[str] | None = None

    def holds(self, alert: Alert) -> bool:
        """Whether this alert is meant."""
        asked = (
            (self.policies, alert.policy_id),
            (self.groups, alert.group_id),
            (self.priorities, alert.priority),
            (self.metrics, alert.metric),
            (self.kinds, alert.kind),
        )
        if not all(wanted is None or value in wanted for wanted, value in asked):
            return False
        step = alert.step or ""
        return (self.steps is None or bool(self.steps & {step, step.partition(":")[0]})) and (
            self.targets is None or not self.targets.isdisjoint(alert.targets)
        )


class SinkDocument(
    msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True, tag_field="kind"
):
    """A sink as an administrator writes it down; each kind adds its own fields.

    Attributes:
        enabled: whether it is sent to. What waits for a disabled one waits until it is enabled.
        when: which alerts it gets.
        per_minute_max: single alerts a minute, instead of the installation's; the rest is summed up.
        to_called: only alerts that call somebody, each said to those who are called, at their own addresses
            (`/v1/oncall/contacts`). Kinds that know no persons refuse it.
    """

    enabled: bool = True
    when: When = When()
    per_minute_max: int | None = None
    to_called: bool = False

    @property
    def may_reach_persons(self) -> bool:
        """Whether `to_called` means something for this kind of receiver."""
        return False

    def wants(self, alert: Alert) -> bool:
        """Whether this alert is addressed to it."""
        return (
            self.enabled and self.when.holds(alert) and (not self.to_called or bool(alert.targets))
        )

    @property
    def actions(self) -> frozenset[Action]:
        """What this kind of receiver understands."""
        return frozenset(Action)


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What sinks are built from, besides their document."""

    secrets: Secrets
    timeout_seconds: float
    private_addresses_allowed: bool
    public_url: str | None = None

    def poster(self, url: str, *, final_statuses: frozenset[int] = frozenset()) -> Poster:
        """A poster to this address.

        Raises:
            ValueError: it is not an absolute http(s) URL.
        """
        return Poster(
            url,
            timeout_seconds=self.timeout_seconds,
            private_addresses_allowed=self.private_addresses_allowed,
            final_statuses=final_statuses,
        )
