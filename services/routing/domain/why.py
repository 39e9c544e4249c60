"""Decisions in plain English: one sentence for each."""

from collections.abc import Sequence

from services.routing.domain.agent import Agent
from services.routing.domain.choice import Decision
from services.routing.domain.rules import Verdict
from shared.events.agents import RuleMode

_CHOSEN = {
    "round_robin": "had waited longest for a turn",
    "least_loaded": "was the least loaded",
    "most_spare": "had most room",
    "longest_idle": "had been idle longest",
    "weighted": "was next by the weights",
}

_REASONS = {
    "no_group": "it belongs to no group",
    "group_inactive": "its group is not active",
    "manual_group": "its group takes tickets itself",
    "no_members": "its group has no agents",
    "inactive": "no longer active",
    "away": "away",
    "busy": "busy",
    "offline": "offline",
    "skill_missing": "without the skill it needs",
    "off_shift": "off shift",
    "at_capacity": "with full hands",
    "channel_full": "with enough of this channel",
    "rate_limited": "given enough for the moment",
    "excluded": "who gave it back, declined it or asked for it",
    "waiting_turn": "others have waited longer",
}
_ABOUT_PEOPLE = frozenset(
    {
        "inactive",
        "away",
        "busy",
        "offline",
        "skill_missing",
        "off_shift",
        "at_capacity",
        "channel_full",
        "rate_limited",
        "excluded",
    }
)


def name_of(agent: Agent) -> str:
    """What people call this agent."""
    return agent.profile.name or agent.agent_id


def chosen(agent: Agent, strategy: str, decision: Decision, load: float) -> str:
    """Why this agent, for example: Anna was the least loaded of 3 who could take it (load 1 of 5)."""
    count = len(decision.ranked)
    if decision.is_sticky:
        return (
            f"{name_of(agent)} had this customer's last ticket and can take it"
            f" ({_hands(agent, load)})."
        )
    among = "the only one who could take it" if count == 1 else f"of {count} who could take it"
    if count == 1:
        return f"{name_of(agent)} was {among} ({_hands(agent, load)})."
    return f"{name_of(agent)} {_CHOSEN[strategy]} {among} ({_hands(agent, load)})."


def widened(relaxed: Sequence[str], overflow: Sequence[str]) -> str:
    """What the wait has changed, to be said after why; empty when nothing: Not asked any more: german."""
    said = ""
    if relaxed:
        said += f" Not asked any more: {', '.join(relaxed)}."
    if overflow:
        said += f" Looked at too: {', '.join(overflow)}."
    return said


def hurried(*, is_raised: bool, is_overdue: bool) -> str:
    """What put it before others, to be said after why; empty when nothing did."""
    if is_overdue:
        return " It has waited so long that it comes before all others."
    return " An SLA warning put it before the others." if is_raised else ""


def pulled(agent: Agent, waited_seconds: float, lease_seconds: int | None = None) -> str:
    """Why this agent: the next ticket was asked for."""
    lease = "" if lease_seconds is None else f" Untouched, it goes back after {lease_seconds} s."
    return (
        f"{name_of(agent)} asked for the next ticket; it had waited {waited_seconds:.0f} s.{lease}"
    )


def given(agent: Agent, by: str, load: float) -> str:
    """Why this agent: somebody said so."""
    over = ""
    if agent.profile.capacity is not None and load > agent.profile.capacity:
        over = f", above the limit of {agent.profile.capacity:g}"
    return f"{by} gave it to {name_of(agent)} (load then {load:g}{over})."


def ruled(verdict: Verdict, version: int, mode: RuleMode) -> str:
    """Why this group, for example: Rule vip (version 3) is the first that matches; it asks for priority urgent."""
    if mode is RuleMode.FIRST:
        told = f"Rule {verdict.name} (version {version}) is the first that matches"
    elif len(verdict.rules) == 1:
        told = f"Rule {verdict.name} (version {version}) matches"
    else:
        told = f"Rules {', '.join(verdict.rules)} (version {version}) match"
    asked = [f"priority {verdict.priority.value}"] if verdict.priority else []
    asked += [f"tag {tag}" for tag in verdict.tags]
    asked += [f"{skill} {level}" for skill, level in sorted(verdict.skills.items())]
    asked += [f"sharing by {verdict.strategy.value.replace('_', ' ')}"] if verdict.strategy else []
    return f"{told}; asked for: {', '.join(asked)}." if asked else f"{told}."


def nobody(reasons: dict[str, int]) -> str:
    """Why nobody, for example: Nobody can take it now: 2 offline, 1 with full hands."""
    if not reasons:
        return "Nobody can take it now."
    parts = [
        f"{count} {_REASONS.get(reason, reason)}"
        if reason in _ABOUT_PEOPLE
        else _REASONS.get(reason, reason)
        for reason, count in sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    ]
    return f"Nobody can take it now: {', '.join(parts)}."


def _hands(agent: Agent, load: float) -> str:
    capacity = agent.profile.capacity
    return f"load {load:g}" if capacity is None else f"load {load:g} of {capacity:g}"
