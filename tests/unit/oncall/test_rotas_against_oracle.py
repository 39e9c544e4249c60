"""Rotas against an oracle that asks, for one instant at a time, the slowest way there is."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.calendar.zones import zone_of
from shared.oncall import WEEKDAYS, Layer, Override, Rota, RotaHistory, Rotation, RotaVersion

AGENTS = ("anna", "ben", "chloe")
# Changes of the clocks near them: one hour, half an hour, a whole day that never was, and none at all.
SCENES = (
    ("Europe/Berlin", datetime(2026, 3, 28, 12, tzinfo=UTC)),
    ("Europe/Berlin", datetime(2026, 10, 24, 12, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 3, 7, 20, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 4, 4, 3, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 10, 3, 3, tzinfo=UTC)),
    ("Pacific/Apia", datetime(2011, 12, 29, 12, tzinfo=UTC)),
    ("Asia/Kolkata", datetime(2026, 6, 1, tzinfo=UTC)),
)
CLOCKS = ("00:00", "01:30", "02:00", "02:30", "03:00", "08:15", "17:00", "22:00")


def moment_of(wall: datetime, zone: ZoneInfo) -> datetime:
    return wall.replace(tzinfo=zone, fold=0).astimezone(UTC)


def clock_of(day: date, text: str) -> datetime:
    if text == "24:00":
        return datetime.combine(day, datetime.min.time()) + timedelta(days=1)
    return datetime.combine(day, time.fromisoformat(text))


def by_layer(layer: Layer, zone: ZoneInfo, at: datetime) -> str | None:
    day = layer.starts_on
    while layer.hand_over_on is not None and WEEKDAYS[day.weekday()] != layer.hand_over_on:
        day += timedelta(days=1)
    anchor = clock_of(day, layer.hand_over_at)
    if at < moment_of(anchor, zone):
        return None
    if layer.ends_on and at >= moment_of(clock_of(layer.ends_on, layer.hand_over_at), zone):
        return None
    if layer.hours is not None and not in_hours(layer, zone, at):
        return None
    turn, number = 0, 0
    while anchor + number * layer.rotation.length <= at.replace(tzinfo=None) + timedelta(days=3):
        if moment_of(anchor + number * layer.rotation.length, zone) <= at:
            turn = number
        number += 1
    return layer.members[turn % len(layer.members)]


def in_hours(layer: Layer, zone: ZoneInfo, at: datetime) -> bool:
    for away in range(-4, 5):
        day = at.date() + timedelta(days=away)
        for opens, closes in layer.hours.get(WEEKDAYS[day.weekday()], ()):
            opening, closing = clock_of(day, opens), clock_of(day, closes)
            if closing <= opening:
                closing += timedelta(days=1)
            if moment_of(opening, zone) <= at < moment_of(closing, zone):
                return True
    return False


def oracle(
    versions: Sequence[RotaVersion], overrides: Sequence[Override], at: datetime
) -> str | None:
    if overrides:
        before = oracle(versions, overrides[:-1], at)
        last = overrides[-1]
        if last.starts_at <= at < last.ends_at and last.instead_of in (None, before):
            return last.agent_id
        return before
    version = [v for v in versions if v.in_force_from is None or v.in_force_from <= at][-1]
    zone = zone_of(version.rota.timezone)
    found = [by_layer(layer, zone, at) for layer in version.rota.layers]
    return next((agent for agent in reversed(found) if agent is not None), None)


@st.composite
def layers(draw: st.DrawFn, around: datetime, name: str) -> Layer:
    unit = draw(st.sampled_from(("hours", "days", "weeks")))
    every = draw(st.integers(1, {"hours": 30, "days": 3, "weeks": 2}[unit]))
    hours = None
    if draw(st.booleans()):
        pairs = st.tuples(st.sampled_from(CLOCKS), st.sampled_from((*CLOCKS[1:], "24:00"))).filter(
            lambda pair: pair[0] != pair[1]
        )
        hours = {
            day: tuple(draw(st.lists(pairs, min_size=1, max_size=2)))
            for day in draw(st.sets(st.sampled_from(WEEKDAYS), min_size=1))
        }
    starts_on = around.date() + timedelta(days=draw(st.integers(-20, 2)))
    ends = draw(st.none() | st.integers(15, 40))
    return Layer(
        name=name,
        members=tuple(draw(st.lists(st.sampled_from(AGENTS), min_size=1, max_size=4))),
        starts_on=starts_on,
        ends_on=starts_on + timedelta(days=ends) if ends else None,
        rotation=Rotation(unit, every),
        hand_over_at=draw(st.sampled_from(CLOCKS)),
        hand_over_on=draw(st.sampled_from((None, *WEEKDAYS))) if unit == "weeks" else None,
        hours=hours,
    )


@st.composite
def histories(draw: st.DrawFn) -> tuple[RotaHistory, datetime]:
    zone, around = draw(st.sampled_from(SCENES))
    moments = st.integers(-60, 90).map(lambda quarter: around + timedelta(minutes=30 * quarter))
    versions = [
        RotaVersion(
            Rota(
                name="r",
                timezone=zone,
                layers=tuple(draw(layers(around, f"l{n}")) for n in range(draw(st.integers(1, 3)))),
            ),
            in_force_from,
        )
        for in_force_from in [None, *sorted(draw(st.sets(moments, max_size=2)))]
    ]
    overrides = []
    for number in range(draw(st.integers(0, 3))):
        start = draw(moments)
        overrides.append(
            Override(
                override_id=str(number),
                agent_id=draw(st.sampled_from(AGENTS)),
                starts_at=start,
                ends_at=start + timedelta(hours=draw(st.integers(1, 40))),
                instead_of=draw(st.sampled_from((None, *AGENTS))),
            )
        )
    return RotaHistory(versions, overrides), around


@settings(max_examples=100, deadline=None)
@given(histories(), st.integers(0, 1_000_000))
def test_everybody_is_on_call_exactly_when_the_oracle_says(
    given_: tuple[RotaHistory, datetime], salt: int
):
    history, around = given_
    start, end = around - timedelta(days=1), around + timedelta(days=3)
    spans = history.spans(start, end)
    assert all(a.ends_at <= b.starts_at for a, b in pairwise(spans))
    assert all(start <= span.starts_at < span.ends_at <= end for span in spans)
    edges = {edge for span in spans for edge in (span.starts_at, span.ends_at)}
    probes = {start + timedelta(minutes=15 * n + salt % 15) for n in range(4 * 96)}
    probes |= {edge + timedelta(seconds=off) for edge in edges for off in (-1, 0)}
    for at in sorted(probe for probe in probes if start <= probe < end):
        here = next((span.agent_id for span in spans if span.starts_at <= at < span.ends_at), None)
        assert here == oracle(history.versions, history.overrides, at), at


@settings(max_examples=60, deadline=None)
@given(histories(), st.integers(0, 6_000))
def test_until_when_and_who_is_next_agree_with_the_oracle(
    given_: tuple[RotaHistory, datetime], minutes: int
):
    history, around = given_
    at = around - timedelta(days=1) + timedelta(minutes=minutes)
    answer = history.on_call(at)

    def who(moment: datetime) -> str | None:
        return oracle(history.versions, history.overrides, moment)

    assert answer.agent_id == who(at)
    if answer.until is not None:
        assert who(answer.until - timedelta(seconds=1)) == answer.agent_id
        assert who(answer.until) != answer.agent_id
    if answer.since is not None:
        assert who(answer.since) == answer.agent_id != who(answer.since - timedelta(seconds=1))
    if answer.next_starts_at is not None:
        assert who(answer.next_starts_at) == answer.next_agent_id
        if answer.agent_id is not None and answer.until != answer.next_starts_at:
            assert who(answer.until) is None  # a gap begins, and somebody comes after it


@settings(max_examples=60, deadline=None)
@given(histories())
def test_two_looks_that_touch_are_one_look(given_: tuple[RotaHistory, datetime]):
    history, around = given_
    start, middle, end = around - timedelta(days=2), around, around + timedelta(days=2)
    whole = history.spans(start, end)
    halves = [*history.spans(start, middle), *history.spans(middle, end)]
    for at in (start + timedelta(minutes=20 * n) for n in range(288)):
        assert [s.agent_id for s in whole if s.starts_at <= at < s.ends_at] == [
            s.agent_id for s in halves if s.starts_at <= at < s.ends_at
        ]
