"""A figure says what it is worth: its share of the limit, its goal, and its doubts."""

import os

import pytest

from tests.bench.figures import Figure, Goal, Missed, percentile
from tests.bench.memory import MemoryWatch


def a_figure(value: float, limit: float | None = None, **said) -> Figure:
    return Figure(section="s", name="n", value=value, unit="/s", limit=limit, **said)


def test_the_goal_is_met_when_all_of_its_parts_are():
    goal = Goal(at_least=1_000, share_of_limit=0.6)
    assert a_figure(1_200, 2_000, goal=goal).is_met is True
    assert a_figure(900, 1_000, goal=goal).is_met is False
    assert a_figure(1_200, 3_000, goal=goal).is_met is False


def test_a_share_above_the_limit_proves_nothing():
    figure = a_figure(1_200, 1_000, goal=Goal(share_of_limit=0.6))
    assert figure.is_met is None
    assert "above its limit" in figure.doubts[0]


def test_a_figure_without_a_goal_meets_none():
    assert a_figure(1).is_met is None
    assert a_figure(1).doubts == []


def test_rounds_that_differ_much_are_doubted():
    assert a_figure(1, rounds=[100, 140], limit_rounds=[100, 149]).doubts == []
    assert a_figure(1, rounds=[100, 160]).doubts == ["rounds differ 1.6-fold"]


def test_the_percentile_is_the_nearest_rank():
    values = [float(number) for number in range(100, 0, -1)]
    assert percentile(values, 0.5) == 50
    assert percentile(values, 0.99) == 99
    assert percentile([7.0], 0.99) == 7


def test_no_measurements_have_no_percentile():
    with pytest.raises(Missed):
        percentile([], 0.99)


def test_memory_keeps_the_maximum_and_outlives_the_process_name():
    watch = MemoryWatch()
    watch.watch("us", os.getpid())
    watch.look()
    most = watch.most()["us"]
    watch.forget("us")
    watch.look()
    assert most > 5
    assert watch.most() == {"us": most}
    assert watch.looks() == {"us": 1}
