"""One snapshot becomes HTML once, and a viewer gets only what is new to them."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from services.query.live import Said
from services.query.web.directory import Names
from services.query.web.stream import Renderer, merged
from services.query.web.wall import PARTS

NAMES = Names(groups=[{"id": "desk", "name": "Service desk"}])


def a_snapshot(*, open_count: int = 1, position: int = 1, **said: Any) -> Said:
    board = {
        "as_of": "2026-03-02T12:00:00Z",
        "freshness_seconds": 0.4,
        "position": position,
        "behind_events": 0,
        "lag_events": {"query": 0, "sla": 3},
        "freshness_problem": None,
        "backlog": {
            "open_count": open_count,
            "unassigned_count": 0,
            "by_status": {"open": open_count},
            "by_priority": {"high": open_count},
            "by_group": [
                {
                    "group_id": "desk",
                    "open_count": open_count,
                    "unassigned_count": 0,
                    "by_status": {"open": open_count},
                }
            ],
        },
        "promises": {"breached": 0, "at_risk": 0, "tickets": []},
        "agents": [],
        "intake_per_minute": [{"minute": "2026-03-02T12:00:00Z", "count": 0}],
        "live": {"mode": "push", "viewers": 1},
        **said,
    }
    return Said("board", json.dumps(board))


def parts_in(event: Said) -> dict[str, str]:
    found: dict[str, str] = json.loads(event.data)["parts"]
    return found


def test_the_same_snapshot_is_rendered_once_for_all_viewers() -> None:
    renderer, snapshot = Renderer(), a_snapshot()
    rendered = renderer.render(snapshot, NAMES)
    assert renderer.render(snapshot, NAMES) is rendered
    assert rendered.changed.wire is rendered.changed.wire, "and encoded once"
    assert rendered.bare.wire.startswith(b"event: board\ndata: {")


def test_the_text_beside_the_plot_counts_what_the_plot_shows() -> None:
    minutes = [{"minute": f"2026-03-02T12:0{n}:00Z", "count": n + 1} for n in range(7)]
    parts = Renderer().render(a_snapshot(intake_per_minute=minutes), NAMES).parts
    assert 'data-counts="1,2,3,4,5,6,7"' in parts["rate"]
    assert "28 in the last hour, at most 7 in one minute" in parts["rate"]
    assert "<b>4.0</b><span>new a minute" in parts["figures"], "the running minute is left out"


def test_a_new_viewer_gets_every_part_and_a_follower_only_what_changed() -> None:
    renderer = Renderer()
    first = renderer.render(a_snapshot(), NAMES)
    second = renderer.render(a_snapshot(open_count=2, position=2), NAMES)
    assert set(parts_in(first.whole)) == set(parts_in(second.whole)) == set(PARTS)
    assert set(parts_in(second.changed)) == {"figures", "backlog"}
    assert second.number == first.number + 1


def test_nothing_travels_twice_when_nothing_changed() -> None:
    renderer = Renderer()
    renderer.render(a_snapshot(), NAMES)
    assert parts_in(renderer.render(a_snapshot(), NAMES).changed) == {}


def test_a_page_without_board_gets_the_freshness_alone() -> None:
    bare = json.loads(Renderer().render(a_snapshot(), NAMES).bare.data)
    assert bare["parts"] == {}
    assert (bare["fresh"]["position"], bare["fresh"]["seconds"]) == (1, 0.4)


def test_before_everything_was_applied_once_nobody_claims_an_age() -> None:
    rebuilding = a_snapshot(as_of="1970-01-01T00:00:00Z", freshness_seconds=1.8e9)
    fresh = json.loads(Renderer().render(rebuilding, NAMES).bare.data)["fresh"]
    assert fresh["as_of"] is None
    assert fresh["seconds"] is None


def test_a_consumer_that_is_behind_is_named() -> None:
    consumers = Renderer().render(a_snapshot(), NAMES).parts["consumers"]
    assert "<dt>sla</dt>" in consumers
    assert ">3 <small>events</small>" in consumers


async def test_two_sources_in_one_stream_are_told_as_they_come_and_end_with_the_first() -> None:
    may_end = asyncio.Event()

    async def first() -> AsyncIterator[Said]:
        yield a_snapshot(position=1)
        await may_end.wait()

    async def second() -> AsyncIterator[Said]:
        for name in ("one", "two"):
            yield Said("attention", name)
        await asyncio.Event().wait()

    seen = []
    async for event in merged(first(), second()):
        seen.append(event.data if event.event == "attention" else event.event)
        if len(seen) == 3:
            may_end.set()
    assert sorted(seen) == ["board", "one", "two"]
    assert seen.index("one") < seen.index("two")
