"""The terms of a metric under one policy: its definition with the policy's deviations applied."""

from collections.abc import Iterable, Mapping

import msgspec

from services.sla.engine.conditions import compiled
from services.sla.engine.metrics import NEXT_REPLY, Metric, Signal
from services.sla.engine.policies import MetricRule, Policy, Target, Warn
from shared.conditions import OpenAt, Test


class Offer(msgspec.Struct, frozen=True):
    """A target, and whether it is meant beside its priority; `None`: always."""

    target: Target
    holds: Test | None


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What starts, stops, cancels, resumes and pauses this clock, and what it promises.

    `begins` and `ends` are all signals that do either. `offers` and `warnings` are the policy's for
    this metric, in its order.
    """

    metric: str
    starts: frozenset[Signal]
    stops: frozenset[Signal]
    cancels: frozenset[Signal]
    resumes: frozenset[Signal]
    begins: frozenset[Signal]
    ends: frozenset[Signal]
    pauses: frozenset[str]
    repeats: bool
    restarts: bool
    after_first_reply: bool
    counts_gap: bool
    offers: tuple[Offer, ...] = ()
    warnings: tuple[Warn, ...] = ()


_DEFAULT = MetricRule()
_NONE = Policy(id="", warnings=())


def terms_of(
    metrics: Iterable[Metric],
    policy: Policy | None,
    calendars: Mapping[str, OpenAt] | None = None,
) -> dict[str, Terms]:
    """Work out the terms of each metric; without a policy, the defaults. `calendars`: for conditions."""
    return {metric.name: _terms(metric, policy or _NONE, calendars or {}) for metric in metrics}


def _terms(metric: Metric, policy: Policy, calendars: Mapping[str, OpenAt]) -> Terms:
    rule = policy.metrics.get(metric.name, _DEFAULT)
    starts, stops = metric.starts, metric.stops
    if rule.stops_at == "closed" and Signal.SOLVED in stops:
        stops = (stops - {Signal.SOLVED}) | {Signal.CLOSED}
    after_first_reply = metric.after_first_reply
    if metric.name == NEXT_REPLY and rule.starts == "first_message":
        starts |= {Signal.CREATED_INBOUND}
        after_first_reply = False
    cancels = metric.cancels - stops
    return Terms(
        metric=metric.name,
        starts=starts,
        stops=stops,
        cancels=cancels,
        resumes=metric.resumes,
        begins=starts | metric.resumes,
        ends=stops | cancels,
        pauses=metric.pauses if rule.pauses is None else frozenset(rule.pauses),
        repeats=metric.repeats,
        restarts=rule.on_reopen == "restart",
        after_first_reply=after_first_reply,
        counts_gap=metric.counts_gap,
        offers=tuple(
            Offer(target, compiled(target.when, calendars))
            for target in policy.targets
            if target.metric == metric.name
        ),
        warnings=tuple(warn for warn in policy.warnings if warn.metric in (None, metric.name)),
    )
