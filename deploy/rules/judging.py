"""What a replay comes to for the promises: each ticket's timeline moved with its course, judged by sla's own engine."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from deploy.rules.past import Past
from services.routing.domain.backtest import Played, Replayed, Script, moment_in, script_of
from services.sla import engine
from services.sla.backtest.tally import status_of
from services.sla.backtest.timelines import Timeline

SIDES: Final = ("happened", "current", "wanted")
STATUSES: Final = ("met", "breached", "open", "cancelled")
NO_GROUP: Final = "no group"


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What was kept and broken; every count for what happened, for the rules in force, and for those on trial.

    Attributes:
        metrics: metric → side → how its clocks came out.
        policies: policy → side → the same, of all its clocks.
        breaches_by_group: group at the moment of the breach → side → how many.
        tickets: judged. `unknown`: without a timeline, so not judged.
    """

    metrics: dict[str, dict[str, dict[str, int]]]
    policies: dict[str, dict[str, dict[str, int]]]
    breaches_by_group: dict[str, dict[str, int]]
    tickets: int
    unknown: int


def judge(played: Played, past: Past) -> Judged | None:
    """Judge every counted ticket three times by the policies in force now; None: what is promised was not saved."""
    if past.trial is None:
        return None
    rules, until = past.trial.rules(), played.material.setting.until
    decoder = msgspec.json.Decoder(Timeline)
    metrics: dict[str, dict[str, Counter[str]]] = {}
    policies: dict[str, dict[str, Counter[str]]] = {}
    groups: dict[str, Counter[str]] = {}
    judged = 0
    for ticket in played.counted:
        raw = past.timelines.get(ticket.ticket_id)
        if raw is None:
            continue
        judged += 1
        timeline, script = decoder.decode(raw), script_of(ticket)
        told = {
            "happened": timeline.facts,
            "current": moved(timeline, script, played.current),
            "wanted": moved(timeline, script, played.wanted),
        }
        for side, facts in told.items():
            for verdict in engine.evaluate(rules, facts, until).verdicts:
                status = status_of(verdict)
                _sides(metrics, verdict.metric)[side][status] += 1
                _sides(policies, verdict.policy_id)[side][status] += 1
                if verdict.breached_at is not None:
                    group = _group_at(facts, verdict.breached_at)
                    groups.setdefault(group, Counter())[side] += 1
    return Judged(
        metrics=_told(metrics),
        policies=_told(policies),
        breaches_by_group={
            group: {side: counts[side] for side in SIDES}
            for group, counts in sorted(groups.items())
        },
        tickets=judged,
        unknown=len(played.counted) - judged,
    )


def moved(timeline: Timeline, script: Script, replayed: Replayed) -> list[engine.Fact]:
    """What would have happened: everything at its moment in the replay, and what routing does as it does it there."""
    ticket_id, course = timeline.ticket_id, replayed.courses[timeline.ticket_id]
    created, ruled = timeline.facts[0], frozenset(timeline.ruled)
    told: list[engine.Fact] = [created, *_wished(created, replayed, ticket_id)]
    for place, fact in enumerate(timeline.facts[1:], start=1):
        if place in ruled or isinstance(fact, engine.GroupChanged | engine.Assigned):
            continue
        at = moment_in(course, script.course, fact.at)
        if at is not None:
            told.append(fact if at == fact.at else msgspec.structs.replace(fact, at=at))
    told += (
        engine.GroupChanged(at=max(at, created.at), group=group)
        for at, group in replayed.places.get(ticket_id, ())
    )
    told += (
        engine.Assigned(at=max(at, created.at), assignee=agent)
        for at, agent in replayed.holders.get(ticket_id, ())
    )
    return sorted(told, key=lambda fact: fact.at)


def _wished(created: engine.Fact, replayed: Replayed, ticket_id: UUID) -> Iterable[engine.Fact]:
    """Priority and tags that the rules ask for when it comes; intake does so at once."""
    wish = replayed.wishes.get(ticket_id)
    if wish is None or not isinstance(created, engine.Created):
        return
    if wish.priority is not None:
        yield engine.PriorityChanged(at=created.at, priority=wish.priority.value)
    if wish.tags:
        tags = [*created.attributes.get("tags", ()), *wish.tags]
        yield engine.AttributesChanged(at=created.at, attributes={"tags": tags})


def _group_at(facts: Sequence[engine.Fact], at: datetime) -> str:
    named = [
        fact.group for fact in facts if isinstance(fact, engine.GroupChanged) and fact.at <= at
    ]
    return (named[-1] if named else None) or NO_GROUP


def _sides(of: dict[str, dict[str, Counter[str]]], name: str) -> dict[str, Counter[str]]:
    return of.setdefault(name, {side: Counter() for side in SIDES})


def _told(of: dict[str, dict[str, Counter[str]]]) -> dict[str, dict[str, dict[str, int]]]:
    return {
        name: {
            side: {status: counts[status] for status in STATUSES} for side, counts in sides.items()
        }
        for name, sides in sorted(of.items())
    }
