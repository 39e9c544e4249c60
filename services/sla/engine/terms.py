"""The terms of a metric under one policy: its definition with the policy's deviations applied."""

from collections.abc import Iterable

import msgspec

from services.sla.engine.metrics import NEXT_REPLY, Metric, Signal
from services.sla.engine.policies import MetricRule, Policy


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What starts, stops, ends, resumes and pauses this clock; `listens` is all these signals."""

    metric: str
    starts: frozenset[Signal]
    stops: frozenset[Signal]
    cancels: frozenset[Signal]
    resumes: frozenset[Signal]
    listens: frozenset[Signal]
    pauses: frozenset[str]
    repeats: bool
    restarts: bool
    after_first_reply: bool
    counts_gap: bool


_DEFAULT = MetricRule()


def terms_of(metrics: Iterable[Metric], policy: Policy | None) -> dict[str, Terms]:
    """Work out the terms of each metric; without a policy, the defaults."""
    rules = policy.metrics if policy is not None else {}
    return {metric.name: _terms(metric, rules.get(metric.name, _DEFAULT)) for metric in metrics}


def _terms(metric: Metric, rule: MetricRule) -> Terms:
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
        listens=starts | stops | cancels | metric.resumes,
        pauses=metric.pauses if rule.pauses is None else frozenset(rule.pauses),
        repeats=metric.repeats,
        restarts=rule.on_reopen == "restart",
        after_first_reply=after_first_reply,
        counts_gap=metric.counts_gap,
    )
