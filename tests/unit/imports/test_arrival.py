"""Waiting for the projections: ends when nothing is under way for several looks, and in any case."""

import asyncio

import pytest

from deploy.imports import arrival
from deploy.imports.arrival import (
    LIVE_EVENTS_MAX,
    LIVE_LOOKS,
    QUIET_LOOKS,
    wait_until_projected,
)
from tests.unit.imports.desk import SmallDesk


def a_board(position: int, *, behind: int = 0, problem: str | None = None) -> dict[str, object]:
    return {
        "position": position,
        "lag_events": {"query": behind, "routing": 0, "sla": 0},
        "freshness_problem": problem,
    }


def metrics(lag: int) -> str:
    return f'# HELP x\nticketing_relay_lag_events{{owner="intake"}} {lag}.0\nother 7\n'


async def wait(boards, *, lags=(0,), seconds_max=60.0):
    desk, seen = SmallDesk(), []
    desk.pages["/v1/dashboard"] = list(boards)
    desk.pages["/services/intake/metrics"] = [metrics(lag) for lag in lags]

    async def no_pause(_seconds):
        pass

    arrived = await wait_until_projected(
        desk.door(), seconds_max=seconds_max, tell=seen.append, pause=no_pause
    )
    return arrived, seen


async def test_it_ends_when_nothing_is_under_way():
    arrived, seen = await wait([a_board(5, behind=3), a_board(8)])
    assert arrived
    assert [backlog.total for backlog in seen] == [3, *[0] * (QUIET_LOOKS + 1)]


async def test_unpublished_events_are_under_way_too():
    arrived, seen = await wait([a_board(8)], lags=(900, 900, 900, 900, 900, 900, 0))
    assert arrived
    assert [backlog.unpublished for backlog in seen[:7]] == [900] * 6 + [0]


async def test_a_position_that_still_moves_is_not_quiet():
    boards = [a_board(position) for position in range(LIVE_LOOKS - 2)]
    arrived, seen = await wait(boards)
    assert arrived
    assert len(seen) == LIVE_LOOKS


async def test_what_people_do_meanwhile_is_not_waited_for():
    boards = [a_board(position, behind=LIVE_EVENTS_MAX) for position in range(99)]
    arrived, seen = await wait(boards)
    assert arrived
    assert len(seen) == LIVE_LOOKS


async def test_the_rest_of_an_import_is_waited_for():
    rest = [a_board(position, behind=LIVE_EVENTS_MAX + 1) for position in range(20)]
    arrived, seen = await wait([*rest, a_board(99)])
    assert arrived
    assert len(seen) == len(rest) + QUIET_LOOKS + 1


async def test_the_quiet_looks_must_come_in_a_row():
    boards = [a_board(8), a_board(8), a_board(8), a_board(8, behind=900), a_board(8)]
    arrived, seen = await wait(boards)
    assert arrived
    assert len(seen) == 4 + QUIET_LOOKS


@pytest.mark.parametrize(
    "board", [a_board(8, behind=1), a_board(8, problem="Kafka was not asked yet")]
)
async def test_it_is_bounded(board):
    arrived, _ = await wait([board], seconds_max=0)
    assert not arrived


@pytest.mark.parametrize(("patience_seconds", "waiting"), [(0.1, None), (60.0, asyncio.sleep)])
async def test_while_query_is_away_nothing_has_arrived(monkeypatch, patience_seconds, waiting):
    """Everything is sent by then: what became of it must be told, and not that the import failed."""
    monkeypatch.setattr(arrival, "LOOK_SECONDS_MIN", 0.2)
    desk = SmallDesk()
    desk.failures = [503] * 99
    door = desk.door(patience_seconds=patience_seconds, waiting=waiting)
    assert not await wait_until_projected(door, seconds_max=0, tell=pytest.fail)
