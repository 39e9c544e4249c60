"""A watch: it starts again what has died, waits longer each time, and leaves the living alone."""

import signal
from pathlib import Path

import pytest

from deploy.local.child import Child
from deploy.local.problems import CannotStart
from deploy.local.watch import PAUSE_SECONDS_MAX, STEADY_SECONDS, Watch


class Watched:
    """A watch over a real child process and a clock that we turn."""

    def __init__(self, folder: Path, argv: list[str]) -> None:
        self.now, self.said = 0.0, []
        self.child = Child("part", argv, folder / "part.log", folder / "part.pid")
        self.child.start()
        self.watch = Watch(
            "part",
            lambda: self.child,
            self.child.start,
            self.said.append,
            monotonic=lambda: self.now,
        )

    def dies(self):
        self.child.kill()
        self.watch.look()

    def after(self, seconds):
        self.now += seconds
        self.watch.look()


@pytest.fixture
def watched(tmp_path):
    made = Watched(tmp_path, ["sleep", "600"])
    yield made
    made.child.kill()


def test_what_has_died_is_started_again_after_a_pause_and_said(watched):
    watched.dies()
    watched.after(0.9)
    assert not watched.child.is_running()
    watched.after(0.2)
    assert watched.child.is_running()
    assert watched.said[0].startswith(f"part has ended ({-signal.SIGKILL}); again in 1 s; see ")
    assert watched.said[1:] == ["part is started again"]


def test_pauses_grow_up_to_a_limit_and_shrink_after_a_steady_time(watched):
    pauses = []
    for _ in range(7):
        watched.dies()
        pauses.append(watched.said[-1].split("again in ")[1].split(" s")[0])
        watched.after(PAUSE_SECONDS_MAX)
    watched.after(STEADY_SECONDS + 1)
    watched.dies()
    pauses.append(watched.said[-1].split("again in ")[1].split(" s")[0])
    assert pauses == ["1", "2", "4", "8", "16", "30", "30", "1"]


def test_the_living_are_left_alone(watched):
    before = watched.child.pid
    watched.after(1_000)
    assert watched.child.pid == before
    assert watched.said == []


def test_a_restart_that_is_impossible_is_said_and_tried_again(watched):
    def refuse():
        raise CannotStart("port taken")

    restart, watched.watch.start = watched.watch.start, refuse
    watched.dies()
    watched.after(1)
    assert watched.said[-1] == "part cannot be started again: port taken"
    watched.watch.start = restart
    watched.after(PAUSE_SECONDS_MAX)
    assert watched.child.is_running()
