"""The answer of a backtest, added up ticket by ticket: the draft beside what happened. Pure and deterministic."""

from bisect import bisect_left, bisect_right
from collections import Counter
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from services.sla import engine
from services.sla.backtest.question import Trial
from services.sla.backtest.stories import Past, Story

_STATUSES: Final = ("met", "breached", "open", "cancelled")
_LOADS: Final = ((1, "1-4"), (5, "5-9"), (10, "10-19"), (20, "20 and more"))
NOBODY: Final = "nobody had it"

NOTES: Final = (
    "People would have worked otherwise: queues are served by deadline; warnings, ladders and pages act.",
    "Only tickets opened in the window are judged, on both sides; an agent's load counts only these as well.",
    "The draft is judged as if it had been in force all the time, with the calendars as they are now.",
)


class Tally:
    """Takes judged tickets in any order; says the same whatever the order was.

    Args:
        trial: what is asked.
        rules: to judge by.
    """

    def __init__(self, trial: Trial, rules: engine.Rulebook) -> None:
        self._trial = trial
        self._rules = rules
        self._zone = ZoneInfo(trial.timezone)
        self._metrics: dict[str, dict[str, Counter[str]]] = {}
        self._groups: dict[str, Counter[str]] = {}
        self._hours: list[Counter[str]] = [Counter() for _ in range(24)]
        self._changes: Counter[str] = Counter()
        self._breaches: list[tuple[str, str | None, datetime]] = []
        self._starts: dict[str, list[float]] = {}
        self._ends: dict[str, list[float]] = {}
        self._named: list[dict[str, Any]] = []
        self._counts: Counter[str] = Counter()

    def take(self, story: Story) -> dict[str, Any] | None:
        """Judge one ticket; its change, if the draft says anything else of it."""
        opened_at = story.opened_at
        if opened_at is None or opened_at < self._trial.since:
            self._counts["older"] += 1
            return None
        if opened_at > self._trial.until:
            return None
        self._counts["tickets"] += 1
        self._counts["imported"] += story.is_imported
        judged = engine.evaluate(self._rules, story.timeline(), self._trial.until)
        self._counts["unschedulable"] += any(
            isinstance(told, engine.Unschedulable) for told in judged.outcomes
        )
        now = {(verdict.metric, verdict.cycle): verdict for verdict in judged.verdicts}
        for agent, start, end in story.spans_of_work(self._trial.until):
            self._starts.setdefault(agent, []).append(start.timestamp())
            self._ends.setdefault(agent, []).append(end.timestamp())
        changes = []
        for metric, cycle in sorted(now.keys() | story.past.keys()):
            verdict, past = now.get((metric, cycle)), story.past.get((metric, cycle))
            if verdict is not None:
                self._count("draft", metric, status_of(verdict))
                if verdict.breached_at is not None:
                    self._breached(
                        "draft", verdict.breached_at, *story.who_had_it(verdict.breached_at)
                    )
            if past is not None:
                self._count("happened", metric, past.status)
                if past.breached_at is not None:
                    self._breached("happened", past.breached_at, past.group_id, past.agent_id)
            if change := _change(metric, cycle, verdict, past):
                self._changes[change["kind"]] += 1
                changes.append(change)
        if not changes:
            return None
        named = {"ticket_id": str(story.ticket_id), "number": story.number, "changes": changes}
        self._name(named)
        return named

    def note(self, what: str, count: int = 1) -> None:
        """Count something that could not be known."""
        self._counts[what] += count

    def answer(self) -> dict[str, Any]:
        """The whole, ready for JSON."""
        return {
            "since": self._trial.since,
            "until": self._trial.until,
            "timezone": self._trial.timezone,
            "drafts": self._trial.drafts,
            "tickets_count": self._counts["tickets"],
            "metrics": {
                metric: {side: _figures(sides[side]) for side in ("draft", "happened")}
                for metric, sides in sorted(self._metrics.items())
            },
            "breaches_by_group": {
                group: _sides(counts) for group, counts in sorted(self._groups.items())
            },
            "breaches_by_hour": [_sides(counts) for counts in self._hours],
            "breaches_by_load": self._by_load(),
            "changes": {
                kind: self._changes[kind]
                for kind in ("newly_breached", "no_longer_breached", "otherwise")
            },
            "tickets": self._shown(),
            "unknown": {
                "older_tickets_count": self._counts["older"],
                "imported_tickets_count": self._counts["imported"],
                "unschedulable_tickets_count": self._counts["unschedulable"],
                "unreadable_events_count": self._counts["unreadable"],
                "failed_tickets_count": self._counts["failed"],
            },
            "notes": list(NOTES),
        }

    def _count(self, side: str, metric: str, status: str) -> None:
        sides = self._metrics.setdefault(metric, {"draft": Counter(), "happened": Counter()})
        sides[side][status] += 1

    def _breached(self, side: str, at: datetime, group: str | None, agent: str | None) -> None:
        self._groups.setdefault(group or "no group", Counter())[side] += 1
        self._hours[at.astimezone(self._zone).hour][side] += 1
        self._breaches.append((side, agent, at))

    def _by_load(self) -> dict[str, dict[str, int]]:
        """How much the agent had in hand at the breach, the ticket itself included."""
        for moments in (*self._starts.values(), *self._ends.values()):
            moments.sort()
        found: dict[str, Counter[str]] = {
            name: Counter() for name in (NOBODY, *(label for _, label in _LOADS))
        }
        for side, agent, at in self._breaches:
            found[self._load(agent, at.timestamp())][side] += 1
        return {name: _sides(counts) for name, counts in found.items()}

    def _load(self, agent: str | None, at: float) -> str:
        if agent is None:
            return NOBODY
        begun = bisect_right(self._starts.get(agent, []), at)
        count = max(begun - bisect_left(self._ends.get(agent, []), at), 1)
        return [label for least, label in _LOADS if count >= least][-1]

    def _name(self, named: dict[str, Any]) -> None:
        self._named.append(named)
        if len(self._named) > 2 * self._trial.show + 1_000:
            self._named = self._shown()

    def _shown(self) -> list[dict[str, Any]]:
        return sorted(self._named, key=_place)[: self._trial.show]


def status_of(verdict: engine.Verdict) -> str:
    """`breached`, `met`, `cancelled` or `open`."""
    return verdict.status if verdict.status in _STATUSES else "open"


def _place(named: dict[str, Any]) -> tuple[bool, int, str]:
    """New breaches first, then by number."""
    is_worse = any(change["kind"] == "newly_breached" for change in named["changes"])
    return (not is_worse, named["number"] or 0, named["ticket_id"])


def _change(
    metric: str, cycle: int, verdict: engine.Verdict | None, past: Past | None
) -> dict[str, Any] | None:
    draft = status_of(verdict) if verdict is not None else None
    happened = past.status if past is not None else None
    if draft == happened:
        return None
    kind = "otherwise"
    if draft == "breached":
        kind = "newly_breached"
    elif happened == "breached":
        kind = "no_longer_breached"
    return {
        "metric": metric,
        "cycle": cycle,
        "kind": kind,
        "draft": draft,
        "happened": happened,
        "policy_id": verdict.policy_id if verdict is not None else None,
        "policy_version": verdict.policy_version if verdict is not None else None,
        "due_at": verdict.due_at if verdict is not None else None,
        "breached_at": verdict.breached_at if verdict is not None else None,
        "met_at": verdict.met_at if verdict is not None else None,
        "happened_breached_at": past.breached_at if past is not None else None,
    }


def _figures(counts: Counter[str]) -> dict[str, Any]:
    decided = counts["met"] + counts["breached"]
    share = round(100 * counts["met"] / decided, 1) if decided else None
    return {**{status: counts[status] for status in _STATUSES}, "attained_percent": share}


def _sides(counts: Counter[str]) -> dict[str, int]:
    return {"draft": counts["draft"], "happened": counts["happened"]}
