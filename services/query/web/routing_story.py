"""Why a ticket is where it is, told from routing's own events. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from services.query.web import words
from services.query.web.directory import Names

_GROUP: Final = "assignment.group_changed.v1"
_ASSIGNED: Final = "assignment.assigned.v1"
_QUEUED: Final = "assignment.queued.v1"
_UNASSIGNED: Final = "assignment.unassigned.v1"
_WITHDRAWN: Final = "assignment.withdrawn.v1"
_OFFERED: Final = "assignment.offered.v1"
_OFFER_ENDED: Final = "assignment.offer_ended.v1"
_SKIPPED: Final = "assignment.skipped.v1"
_ESCALATED: Final = "assignment.escalated.v1"


@dataclass(frozen=True)
class Looked:
    """One agent who was looked at, and what came of it."""

    agent_id: str
    name: str
    load: float
    capacity: float | None
    score: str
    verdict: str
    is_chosen: bool = False


@dataclass
class Story:
    """The last decision about the agent and the last about the group, each with its reason.

    Attributes:
        headline: who has it, or that nobody has.
        reason: the decision's own sentence.
        group_reason: why it belongs to its group.
        facts: how the decision was made, in short words.
        at: when it was made (as text, UTC).
        candidates: those looked at, best first; cut by routing, `candidates_count` is whole.
        refused: reason → agents, of everybody who could not take it.
    """

    headline: str = "Routing has not said anything about this ticket yet."
    reason: str = ""
    group_reason: str = ""
    facts: list[str] = field(default_factory=list)
    at: str | None = None
    candidates: list[Looked] = field(default_factory=list)
    candidates_count: int = 0
    refused: list[tuple[str, int]] = field(default_factory=list)


def story(events: Iterable[dict[str, Any]], names: Names) -> Story:
    """What the newest decisions were.

    Args:
        events: the timeline, oldest first (`services.query.views.timeline`).
        names: of the agents and groups.
    """
    told = Story()
    for event in events:
        facts = event["data"]
        match event["type"]:
            case t if t == _GROUP:
                told.group_reason = facts["why"]
            case t if t == _ASSIGNED:
                told = _assigned(told, facts, names)
            case t if t == _QUEUED:
                told = _queued(told, facts, names)
            case t if t == _OFFERED:
                told = _offered(told, facts, names)
            case t if t in {_OFFER_ENDED, _SKIPPED, _ESCALATED}:
                told = Story(
                    headline=_turned_down(t, facts, names),
                    reason=facts.get("reason") or "",
                    group_reason=told.group_reason,
                    at=facts["occurred_at"],
                )
            case t if t in {_UNASSIGNED, _WITHDRAWN}:
                told = Story(
                    headline=_nobody(t, facts, names),
                    reason=facts.get("why") or "",
                    group_reason=told.group_reason,
                    at=facts["occurred_at"],
                )
            case _:
                continue
    return told


def _assigned(before: Story, facts: dict[str, Any], names: Names) -> Story:
    agent_id = facts["agent_id"]
    said = [words.called(words.MODE, facts["mode"])]
    if facts.get("strategy"):
        said.append(f"strategy: {words.called(words.STRATEGY, facts['strategy'])}")
    if facts.get("rule"):
        said.append(
            f"rule {facts['rule']} (version {words.called({}, facts.get('rules_version'))})"
        )
    capacity = facts.get("capacity")
    limit = "" if capacity is None else f" of {words.amount(capacity)}"
    said.append(
        f"load {words.amount(facts['load_before'])} → {words.amount(facts['load_after'])}{limit}"
    )
    said.append(f"waited {words.duration(facts.get('waited_seconds', 0.0))}")
    strategy = facts.get("strategy")
    said += _widened(facts, names)
    looked = [
        _looked(
            each,
            names,
            strategy,
            is_chosen=each["agent_id"] == agent_id and not each.get("refused"),
        )
        for each in facts.get("candidates", ())
    ]
    return Story(
        headline=f"{facts.get('agent_name') or names.agent(agent_id)} has it.",
        reason=facts["why"],
        group_reason=before.group_reason,
        facts=said,
        at=facts["occurred_at"],
        candidates=looked,
        candidates_count=facts.get("candidates_count") or len(looked),
        refused=_refused(facts.get("refused_counts", {})),
    )


def _offered(before: Story, facts: dict[str, Any], names: Names) -> Story:
    told = _assigned(before, {**facts, "mode": "offer"}, names)
    name = facts.get("agent_name") or names.agent(facts["agent_id"])
    until = words.value(facts["expires_at"])[11:19]
    told.headline = f"Offered to {name} until {until} UTC."
    told.facts[0] = "the room for it is kept meanwhile"
    return told


def _turned_down(type_: str, facts: dict[str, Any], names: Names) -> str:
    if type_ == _ESCALATED:
        return f"Escalated to {names.group(facts['group_id'])}."
    name = names.agent(facts["agent_id"])
    if type_ == _SKIPPED:
        return f"{name} skipped it."
    return {
        "declined": f"{name} declined the offer.",
        "expired": f"The offer to {name} ran out.",
        "withdrawn": f"The offer to {name} was withdrawn; nobody needs to take it any more.",
    }.get(facts["outcome"], f"The offer to {name} was cancelled.")


def _widened(facts: dict[str, Any], names: Names) -> list[str]:
    said = []
    if facts.get("relaxed"):
        said.append(f"no longer asked: {', '.join(facts['relaxed'])}")
    if facts.get("overflow"):
        said.append(f"looked at too: {', '.join(map(names.group, facts['overflow']))}")
    if facts.get("is_overdue"):
        said.append("put before all others, as it has waited so long")
    if facts.get("is_raised"):
        said.append("put first by an SLA warning")
    units = facts.get("units", 1.0)
    if units != 1.0:
        said.append(f"takes {words.amount(units)} units")
    return said


def _queued(before: Story, facts: dict[str, Any], names: Names) -> Story:
    return Story(
        headline=f"Waits in the queue of {names.group(facts['group_id'])}.",
        reason=facts.get("why") or "",
        group_reason=before.group_reason,
        facts=[
            *([f"rule {facts['rule']}"] if facts.get("rule") else []),
            *_widened(facts, names),
        ],
        at=facts["queued_at"],
        candidates=[_looked(each, names, None) for each in facts.get("candidates", ())],
        candidates_count=len(facts.get("candidates", ())),
        refused=_refused(facts.get("reasons", {})),
    )


def _nobody(type_: str, facts: dict[str, Any], names: Names) -> str:
    if type_ == _UNASSIGNED:
        before = names.agent(facts["previous_agent_id"])
        return f"Nobody has it; it was taken from {before} ({words.called({}, facts['reason'])})."
    return f"It left the queue: {words.called({}, facts['reason'])}."


def _looked(
    facts: dict[str, Any], names: Names, strategy: str | None, *, is_chosen: bool = False
) -> Looked:
    refused = facts.get("refused")
    verdict = (
        "chosen" if is_chosen else words.called(words.REFUSAL, refused) if refused else "could too"
    )
    return Looked(
        agent_id=facts["agent_id"],
        name=names.agent(facts["agent_id"]),
        load=facts["load"],
        capacity=facts.get("capacity"),
        score=_score(facts.get("score"), strategy),
        verdict=verdict,
        is_chosen=is_chosen,
    )


def _score(score: float | None, strategy: str | None) -> str:
    """What the strategy compared, so that a person can compare it too."""
    if score is None:
        return words.NOTHING
    match strategy:
        case "least_loaded":
            return f"{score:.0%} full"
        case "round_robin":
            return f"turn {score:.0f}"
        case "longest_idle":
            return "by idle time"
        case _:
            return f"{score:g}"


def _refused(counts: dict[str, int]) -> list[tuple[str, int]]:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [(words.called(words.REFUSAL, reason), count) for reason, count in ordered]
