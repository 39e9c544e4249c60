"""`docs/routing-simulation.md`: the example is really run, and no field or word of the format is left out."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from services.routing.domain.simulation import scenario
from services.routing.domain.simulation.telling import Done, Outcome
from services.routing.domain.strategies import STRATEGIES
from tests.docs.readme import ROOT, blocks

PAGE = (ROOT / "docs" / "routing-simulation.md").read_text(encoding="utf-8")


def block(mark: str) -> str:
    (found,) = [one for one in blocks(PAGE) if one.mark == mark]
    return found.text


def simulated(*arguments: str, given: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    command = [sys.executable, "-m", "deploy.cli", "routing", "simulate", *arguments]
    return subprocess.run(command, cwd=ROOT, input=given, capture_output=True, check=False)


def on_one_line(text: str) -> bytes:
    return json.dumps(json.loads(text)).encode() + b"\n"


def test_the_example_answers_what_is_shown(tmp_path: Path) -> None:
    (command,) = [one.text.split() for one in blocks(PAGE) if one.language == "sh"]
    assert command[:3] == [".venv/bin/ticketing", "routing", "simulate"]
    file = tmp_path / command[3]
    file.write_bytes(on_one_line(block("scenario")))
    done = simulated(str(file))
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.count(b"\n") == 1
    assert json.loads(done.stdout) == json.loads(block("answer"))


def test_lines_from_standard_input_are_answered_each_and_a_bad_one_stops_nobody() -> None:
    good = on_one_line(block("scenario"))
    done = simulated("-", given=good + b"\n" + b'{"id":7,"agents":[]}\n' + good)
    first, bad, last = (json.loads(line) for line in done.stdout.splitlines())
    assert first == last == json.loads(block("answer"))
    assert (bad["id"], bad["index"], bad["error"]["errors"][0]["field"]) == (7, 1, "actions")
    assert done.stderr == b"1 of 3 lines refused\n"


def test_a_file_that_is_not_there_is_one_line_that_says_so(tmp_path: Path) -> None:
    done = simulated(str(tmp_path / "none.ndjson"))
    assert done.returncode == 1
    assert done.stdout == b""
    assert done.stderr.decode().count("\n") == 1
    assert "none.ndjson cannot be read" in done.stderr.decode()


@pytest.mark.parametrize(
    "part",
    [
        scenario.Scenario,
        scenario.Config,
        scenario.GroupSettings,
        scenario.AgentGiven,
        *get_args(scenario.Action),
        Outcome,
        Done,
    ],
)
def test_every_field_is_on_the_page(part: type) -> None:
    told = set(re.findall(r"`(\w+)`", PAGE)) | set(re.findall(r'"(\w+)"', block("answer")))
    assert [name for name in part.__struct_fields__ if name not in told] == []


def test_every_action_and_strategy_is_on_the_page() -> None:
    told = set(re.findall(r"`(\w+)`", PAGE))
    kinds = [one.__struct_config__.tag for one in get_args(scenario.Action)]
    assert [one for one in (*kinds, *STRATEGIES) if one not in told] == []
