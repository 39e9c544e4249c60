"""The promises about one ticket, as a person wants to read them. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from services.query.views.readable import in_words
from services.query.views.told_promises import UNSCHEDULABLE
from services.query.web import words
from services.query.web.rendering import moment

_ORDER: Final = tuple(words.METRIC)


@dataclass(frozen=True)
class Clock:
    """One clock.

    Attributes:
        name: what was promised.
        state: `running`, `risk`, `late`, `paused`, `kept`, `missed` or `ended`: also the style.
        due_at: of a running clock, to count down to.
        says: the state in words.
        target: how long was promised, in words.
        share: of the time that is used up, 0 to 1, when it can be told.
        policy: which promise, in which version, for which priority.
        needs_review: a person decides whether the breach stands.
    """

    metric: str
    name: str
    state: str
    says: str
    target: str
    policy: str
    due_at: datetime | None = None
    share: float | None = None
    cycle: int = 1
    needs_review: bool = False


def clocks(rows: list[dict[str, Any]], now: datetime) -> list[Clock]:
    """The newest clock of each metric, in the order of a ticket's life."""
    found = [_clock(row, now) for row in sorted(rows, key=_place)]
    return sorted(found, key=lambda clock: clock.state in {"kept", "missed", "ended"})


def _place(row: dict[str, Any]) -> tuple[int, str]:
    metric = row["metric"]
    return (_ORDER.index(metric) if metric in _ORDER else len(_ORDER), metric)


def _clock(row: dict[str, Any], now: datetime) -> Clock:
    state, says = _state(row)
    is_running = row["state"] == "running"
    due_at, started_at = moment(row.get("due_at")), moment(row["started_at"])
    share = None
    if is_running and due_at and started_at and due_at > started_at:
        share = (now - started_at) / (due_at - started_at)
    elif row["state"] == "paused" and row["target_seconds"]:
        share = 1 - _left(row) / row["target_seconds"]
    policy = f"{row['policy_id']} v{row['policy_version']}, {row['priority']} priority"
    return Clock(
        metric=row["metric"],
        name=words.called(words.METRIC, row["metric"]),
        state=state,
        says=says,
        target=words.duration(row["target_seconds"]),
        policy=policy,
        due_at=due_at if is_running else None,
        share=share,
        cycle=row["cycle"],
        needs_review=row.get("needs_review", False),
    )


def _state(row: dict[str, Any]) -> tuple[str, str]:
    is_breached = row["is_breached"]
    match row["state"]:
        case "running":
            return _running(row)
        case "paused":
            says = f"paused with {words.duration(_left(row))} left"
            return "paused", f"{says}, breached before" if is_breached else says
        case "met":
            margin = row.get("margin_seconds") or 0.0
            if is_breached or margin < 0:
                return "missed", f"fulfilled {words.duration(abs(margin))} late"
            return "kept", f"fulfilled with {words.duration(margin)} to spare"
        case _:
            reason = words.called({}, row.get("cancel_reason"))
            return ("missed" if is_breached else "ended"), f"ended without result: {reason}"


def _running(row: dict[str, Any]) -> tuple[str, str]:
    reason = row.get("unschedulable_reason")
    if reason and not row.get("due_at"):
        return "late", f"no deadline can be found: {in_words(UNSCHEDULABLE, reason)}"
    if row["is_breached"]:
        return "late", "breached, still running"
    return ("risk", "at risk") if row.get("warned_at") else ("running", "running")


def _left(row: dict[str, Any]) -> float:
    """What a paused clock has left; from the target, which may have changed while it stood still."""
    left: float = row["target_seconds"] - (row.get("elapsed_seconds") or 0.0)
    return left
