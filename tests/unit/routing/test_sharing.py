"""Weights, stickiness and rate limit of a group: what is accepted, what is refused with its field."""

import pytest

from services.routing.domain import people
from shared.errors import Invalid
from shared.events.agents import GroupDefined, GroupProfile, RateLimit, Strategy
from tests.unit.routing.builders import a_floor, by_hand


def define(floor, **sharing):
    profile = GroupProfile(name="Support", **sharing)
    return floor.at_desk(lambda desk: people.define_group(desk, "support", profile, by_hand()))


def test_what_is_said_is_in_the_event_with_what_was_before() -> None:
    floor = a_floor(Strategy.ROUND_ROBIN, "ann")
    limit = RateLimit(count=3, seconds=60)
    (event,) = define(floor, weights={"ann": 2}, sticky_seconds=60, rate_limit=limit)
    assert isinstance(event, GroupDefined)
    assert (event.profile.weights, event.profile.sticky_seconds) == ({"ann": 2}, 60)
    assert event.profile.rate_limit == limit
    assert event.previous is not None
    assert event.previous.rate_limit is None


@pytest.mark.parametrize(
    ("sharing", "fields"),
    [
        ({"weights": {"zoe": 1}}, ["weights.zoe"]),
        ({"weights": {"ann": 0}}, ["weights.ann"]),
        ({"weights": {"ann": 1_001}}, ["weights.ann"]),
        ({"sticky_seconds": 0}, ["sticky_seconds"]),
        ({"sticky_seconds": 367 * 86_400}, ["sticky_seconds"]),
        ({"rate_limit": RateLimit(count=0, seconds=60)}, ["rate_limit.count"]),
        (
            {"rate_limit": RateLimit(count=101, seconds=86_401)},
            ["rate_limit.count", "rate_limit.seconds"],
        ),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_changes(
    sharing: dict, fields: list[str]
) -> None:
    floor = a_floor(Strategy.ROUND_ROBIN, "ann")
    before = floor.roster.groups["support"].profile
    with pytest.raises(Invalid) as refused:
        define(floor, **sharing)
    assert [error.field for error in refused.value.errors] == fields
    assert floor.roster.groups["support"].profile == before


def test_a_limit_that_comes_serves_what_waits_and_one_that_goes_too() -> None:
    floor = a_floor(Strategy.ROUND_ROBIN, "ann")
    define(floor, strategy=Strategy.ROUND_ROBIN, rate_limit=RateLimit(count=1, seconds=60))
    tickets = [floor.opened() for _ in range(3)]
    assert [floor.holder(one) for one in tickets] == ["ann", None, None]
    define(floor, strategy=Strategy.ROUND_ROBIN)
    assert [floor.holder(one) for one in tickets] == ["ann", "ann", "ann"]
