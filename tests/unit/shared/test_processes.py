"""Processes that share one piece of work: what they say is heard, what they fail with is raised, none stays behind."""

import os
import signal
from collections.abc import Callable

import psutil
import pytest

from shared.processes import Part, Parts

SECONDS_MAX = 30.0


def say_who(part: Part, greeting: str) -> None:
    part.say(f"{greeting} {part.number} of {part.count}".encode())


def refuse(part: Part) -> None:
    raise ValueError(f"part {part.number} does not want to")


def vanish(_part: Part) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def talk_for_ever(part: Part) -> None:
    while True:
        part.require_work()
        part.say(b"x" * 10_000)  # more than a pipe holds, sooner or later


def hear_all(parts: Parts) -> list[bytes]:
    heard: list[bytes] = []
    while not parts.are_done:
        heard += parts.words(SECONDS_MAX)
    return heard


def test_each_does_its_part_and_is_heard() -> None:
    parts = Parts(say_who, 2, "hello")
    assert sorted(hear_all(parts)) == [b"hello 0 of 2", b"hello 1 of 2"]
    assert parts.end() == []


@pytest.mark.parametrize(
    ("work", "error", "words"),
    [(refuse, ValueError, "does not want to"), (vanish, ChildProcessError, "exit code -9")],
)
def test_what_one_fails_with_is_raised(
    work: Callable[..., None], error: type[Exception], words: str
) -> None:
    parts = Parts(work, 1)
    with pytest.raises(error, match=words):
        hear_all(parts)
    parts.end()


def test_they_end_when_told_with_everything_heard_that_was_said() -> None:
    before = {child.pid for child in psutil.Process().children()}
    parts = Parts(talk_for_ever, 2)
    assert list(parts.words(SECONDS_MAX))
    last = parts.end()
    assert all(word == b"x" * 10_000 for word in last)
    left = [
        child
        for child in psutil.Process().children()
        if child.pid not in before and "spawn_main" in " ".join(child.cmdline())
    ]
    assert left == []
