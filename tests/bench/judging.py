"""The judgement alone: the engine, a whole line of `ticketing sla evaluate`, and the calendar's arithmetic."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any, Final

import msgspec

from services.sla import engine
from services.sla.evaluation import TimelineQuestion, answer_line, answer_timeline
from shared.calendar import Calendar, parse_calendar
from tests.bench.figures import Figure, Goal, Missed, Report
from tests.bench.product import Product
from tests.bench.scale import Scale

SECTION: Final = "sla"
_TICKETS: Final = {"full": 5_000, "quick": 200}
_SUMS: Final = {"full": 200_000, "quick": 2_000}
_ROUNDS: Final = 3
_MONDAY: Final = datetime(2026, 3, 2, 8, tzinfo=UTC)
_WEEK: Final = ("mon", "tue", "wed", "thu", "fri")
_OFFICE: Final[dict[str, Any]] = {
    "timezone": "Europe/Berlin",
    "hours": {day: [["09:00", "12:00"], ["13:00", "17:00"]] for day in _WEEK},
}
_POLICY: Final[dict[str, Any]] = {
    "id": "standard",
    "targets": [
        {"metric": "first_reply", "seconds": 3_600, "calendar_id": "office"},
        {"metric": "next_reply", "seconds": 7_200, "calendar_id": "office"},
        {"metric": "resolution", "seconds": 28_800, "calendar_id": "office"},
    ],
}
_LIFE: Final[tuple[tuple[int, dict[str, Any]], ...]] = (
    (0, {"type": "created", "priority": "high"}),
    (30, {"type": "agent_replied"}),
    (30, {"type": "status_changed", "category": "pending"}),
    (300, {"type": "customer_replied"}),
    (300, {"type": "status_changed", "category": "open"}),
    (400, {"type": "agent_replied"}),
    (500, {"type": "customer_replied"}),
    (520, {"type": "priority_changed", "priority": "urgent"}),
    (800, {"type": "agent_replied"}),
    (900, {"type": "resolved"}),
)
"""A ticket's life in minutes from its opening: three promises, a pause, a change, breaches and warnings."""


def measure(product: Product, scale: Scale, report: Report) -> None:
    """All three; no server is needed for any of them."""
    del product
    count = _TICKETS[scale.name]
    lines = [msgspec.json.encode(_ticket(number)) for number in range(count)]
    events = count * len(_LIFE)
    timelines = [engine.parse_timeline(_ticket(number)["timeline"]) for number in range(count)]
    rules = engine.Rulebook([engine.parse_policy(_POLICY)], [_office()])
    until = _MONDAY + timedelta(days=30)

    def judge() -> None:
        for facts in timelines:
            engine.evaluate(rules, facts, until)

    stored = [msgspec.json.encode(facts) for facts in timelines]
    decoder = msgspec.json.Decoder(list[engine.Fact])

    def read() -> None:
        for facts in stored:
            decoder.decode(facts)

    report.add(
        Figure(
            section=SECTION,
            name=f"engine, {len(_LIFE)} events a ticket, one core",
            value=_rate(judge, events),
            unit="events/s",
            limit=_rate(read, events),
            limit_name="the same facts read from their stored form, nothing judged",
            goal=Goal(at_least=50_000),
        )
    )
    encode = msgspec.json.Encoder().encode
    answers = [
        answer_line(raw, index, TimelineQuestion, answer_timeline)
        for index, raw in enumerate(lines)
    ]
    if refused := [answer for answer in answers if "error" in answer]:
        raise Missed(f"a good ticket was refused: {refused[0]}")

    def whole() -> None:
        for index, raw in enumerate(lines):
            encode(answer_line(raw, index, TimelineQuestion, answer_timeline))

    def json_alone() -> None:
        for raw, answer in zip(lines, answers, strict=True):
            msgspec.json.decode(raw)
            encode(answer)

    report.add(
        Figure(
            section=SECTION,
            name="a whole line of sla evaluate: JSON in, checked, judged, JSON out",
            value=_rate(whole, events),
            unit="events/s",
            limit=_rate(json_alone, events),
            limit_name="the same JSON read and written, nothing else",
        )
    )
    _sums(_SUMS[scale.name], report)


def _sums(count: int, report: Report) -> None:
    """`add` at moments all over a year of split shifts; compiling the calendar is in it."""
    year = 366 * 86_400
    starts = [_MONDAY + timedelta(seconds=(number * 7_919) % year) for number in range(count)]

    def add() -> None:
        calendar = _office()
        for start in starts:
            calendar.add(start, 28_800)

    def plain() -> None:
        step = timedelta(seconds=28_800)
        for start in starts:
            start + step

    report.add(
        Figure(
            section=SECTION,
            name="calendar add over a year of split shifts, compiling included",
            value=1_000_000 / _rate(add, count),
            unit="µs",
            goal=Goal(at_most=20.0),
            details={"datetime_plus_timedelta_microseconds": 1_000_000 / _rate(plain, count)},
        )
    )


def _rate(work: Callable[[], None], count: int) -> float:
    """How many in a second of this process's own processor time; the median of a few rounds after a first one."""
    work()
    rounds = []
    for _ in range(_ROUNDS):
        begun = time.process_time()
        work()
        rounds.append(count / (time.process_time() - begun))
    return median(rounds)


def _office() -> Calendar:
    return parse_calendar({"id": "office", **_OFFICE})


def _ticket(number: int) -> dict[str, Any]:
    opened = _MONDAY + timedelta(minutes=number % 10_000)
    return {
        "id": f"T-{number}",
        "policies": [_POLICY],
        "calendars": {"office": _OFFICE},
        "timeline": [
            {"at": (opened + timedelta(minutes=after)).isoformat(), **fact} for after, fact in _LIFE
        ],
        "evaluate_at": (_MONDAY + timedelta(days=30)).isoformat(),
    }
