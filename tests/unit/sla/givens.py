"""What is given in stories about promises: rules, moments in minutes, and what was told."""

from datetime import UTC, datetime, timedelta
from typing import Any

from services.sla.engine import (
    Category,
    Created,
    Fact,
    Outcome,
    Policy,
    PolicyApplied,
    Rulebook,
    State,
    StatusChanged,
    advance,
    fold,
    parse_policy,
)
from shared.calendar import parse_calendar

START = datetime(2026, 3, 2, 9, tzinfo=UTC)  # a Monday
OFFICE = parse_calendar(
    {
        "id": "office",
        "timezone": "UTC",
        "hours": {d: [["09:00", "17:00"]] for d in ("mon", "tue", "wed", "thu", "fri")},
    }
)


def minute(number: float) -> datetime:
    return START + timedelta(minutes=number)


def minutes(seconds: float) -> int:
    return int(seconds * 60)


def targets(calendar_id: str | None = None, **by_metric: float) -> list[dict[str, Any]]:
    """Targets in minutes for every priority."""
    return [
        {"metric": metric, "seconds": minutes(amount), "calendar_id": calendar_id}
        for metric, amount in by_metric.items()
    ]


def a_policy(**fields: Any) -> Policy:
    """First reply 60, next reply 30, resolution 240 minutes, all day, no warnings."""
    base: dict[str, Any] = {
        "id": "standard",
        "targets": targets(first_reply=60, next_reply=30, resolution=240),
        "warnings": [],
    }
    return parse_policy({**base, **fields})


def rules(*policies: Policy, calendars: Any = (OFFICE,)) -> Rulebook:
    return Rulebook(policies or (a_policy(),), calendars)


def created(at: float = 0, **fields: Any) -> Created:
    return Created(at=minute(at), **fields)


def status(at: float, category: Category) -> StatusChanged:
    return StatusChanged(at=minute(at), category=category)


def lived(book: Rulebook, *facts: Fact, until: float | None = None) -> tuple[State, list[Outcome]]:
    """Fold facts in the order given, and let time speak until a minute."""
    state: State | None = None
    outcomes: list[Outcome] = []
    for fact in facts:
        state, told = fold(state, fact, book)
        outcomes += told
    assert state is not None
    if until is not None:
        state, told = advance(state, minute(until), book)
        outcomes += told
    return state, outcomes


def said(outcomes: list[Outcome], *metrics: str) -> list[tuple[Any, ...]]:
    """Tell outcomes as (kind, metric, cycle, minute); only some metrics if any are named."""
    return [
        (
            str(outcome.__struct_config__.tag),
            outcome.metric,
            outcome.cycle,
            (outcome.at - START) / timedelta(minutes=1),
        )
        for outcome in outcomes
        if not isinstance(outcome, PolicyApplied) and (not metrics or outcome.metric in metrics)
    ]


def the(kind: type, outcomes: list[Outcome], metric: str = "") -> Any:
    """Find the only outcome of a kind (and metric)."""
    found = [
        o for o in outcomes if isinstance(o, kind) and metric in ("", getattr(o, "metric", ""))
    ]
    assert len(found) == 1, found
    return found[0]
