"""The first command of README.md: it comes up, says what README shows, and Ctrl-C stops all of it."""

import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Final

import httpx2
import psutil
import pytest

from tests.docs.readme import README, ROOT, blocks, missing

UP_SECONDS_MAX: Final = 180
DOWN_SECONDS_MAX: Final = 90
LAST_LINE: Final = "Ctrl-C stops everything."


def shown_at_start() -> list[str]:
    (block,) = [one for one in blocks(README.read_text()) if LAST_LINE in one.text]
    return block.text.splitlines()


def test_the_target_runs_the_command() -> None:
    told = subprocess.run(
        ["make", "--dry-run", "run"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ".venv/bin/ticketing run" in told.stdout


@pytest.mark.e2e
def test_it_comes_up_as_shown_and_stops_cleanly(tmp_path: Path) -> None:
    running = subprocess.Popen(
        [sys.executable, "-m", "deploy.cli", "run"],
        cwd=ROOT,
        env={**os.environ, "TICKETING_HOME": str(tmp_path / "home"), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        printed = read_until(running, LAST_LINE)
        assert missing(shown_at_start(), printed) == [], printed
        below = psutil.Process(running.pid).children(recursive=True)
        assert len(below) >= 8  # four servers, four services
        for page in re.findall(r"http://\S+/(?:forms|chat)/\w+", printed):
            assert httpx2.get(page).status_code == 200, page
        running.send_signal(signal.SIGINT)
        rest, _ = running.communicate(timeout=DOWN_SECONDS_MAX)
    finally:
        if running.poll() is None:
            running.kill()
            running.communicate()
    assert running.returncode == 0, rest
    assert "stopped; the data stays" in rest
    assert [one for one in below if one.is_running() and one.status() != "zombie"] == []


def read_until(process: "subprocess.Popen[str]", last: str) -> str:
    """What the process prints up to the line with `last`; fails when it ends first or takes too long."""
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    output = process.stdout
    assert output is not None

    def read() -> None:
        for line in output:
            lines.put(line)
            if last in line:
                return  # the rest is `communicate`'s
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    until, printed = time.monotonic() + UP_SECONDS_MAX, ""
    while last not in printed:
        try:
            line = lines.get(timeout=max(0.0, until - time.monotonic()))
        except queue.Empty:
            pytest.fail(f"not up within {UP_SECONDS_MAX} s:\n{printed}")
        if line is None:
            pytest.fail(f"it ended:\n{printed}")
        printed += line
    return printed
