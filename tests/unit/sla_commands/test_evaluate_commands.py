"""`ticketing calendar evaluate` and `ticketing sla evaluate`: a filter of lines, in a process of its own."""

import json
import os
import select
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deploy.commands._ndjson import LINE_BYTES_MAX, filter_lines

ADD = {
    "id": 1,
    "calendar": {"timezone": "Europe/Berlin", "hours": {"fri": [["09:00", "17:00"]]}},
    "op": "add",
    "start": "2026-03-06T15:00:00Z",
    "seconds": 7200,
}
TIMELINE = {
    "id": "t",
    "policies": [{"id": "p", "targets": [{"metric": "first_reply", "seconds": 60}]}],
    "timeline": [{"at": "2026-03-06T12:00:00Z", "type": "created"}],
    "evaluate_at": "2026-03-06T13:00:00Z",
}
DONE_IN_SECONDS = 60


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "deploy.cli", *words]


def run(*words: str, stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        command(*words), input=stdin, capture_output=True, timeout=DONE_IN_SECONDS, check=False
    )


def lines(*questions: Any) -> bytes:
    return b"".join(
        (one if isinstance(one, bytes) else json.dumps(one).encode()) + b"\n" for one in questions
    )


def answers(printed: bytes) -> list[Any]:
    return [json.loads(line) for line in printed.splitlines()]


def test_a_wrong_line_is_answered_and_the_rest_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "questions.ndjson"
    wrong = {**ADD, "id": 2, "op": "multiply"}
    file.write_bytes(lines(ADD, b"", b"{", wrong, b"\xff\xfe", {**ADD, "id": 3}))
    done = run("calendar", "evaluate", str(file))
    first, broken, refused, unread, last = answers(done.stdout)
    assert first == {"id": 1, "result": "2026-03-13T09:00:00Z"}
    assert (broken["id"], broken["index"], broken["error"]["status"]) == (None, 1, 400)
    assert (refused["id"], refused["error"]["errors"][0]["field"]) == (2, "op")
    assert unread["index"] == 3
    assert last["id"] == 3
    assert (done.returncode, done.stderr) == (0, b"3 of 5 lines refused\n")


def test_timelines_come_from_standard_input() -> None:
    nonsense = {**TIMELINE, "id": "n", "timeline": [{"at": "x", "type": "created"}]}
    done = run("sla", "evaluate", "-", stdin=lines(TIMELINE, nonsense))
    judged, refused = answers(done.stdout)
    (verdict,) = judged["result"]
    assert (verdict["status"], verdict["breached_at"]) == ("breached", "2026-03-06T12:01:00Z")
    assert refused["error"]["errors"][0]["field"] == "timeline[0].at"
    assert done.returncode == 0


def test_the_last_line_needs_no_end_and_the_first_may_have_a_byte_order_mark() -> None:
    done = run("calendar", "evaluate", stdin=b"\xef\xbb\xbf" + lines(ADD, ADD).rstrip())
    assert [answer["id"] for answer in answers(done.stdout)] == [1, 1]
    assert done.stderr == b""


def test_an_answer_comes_before_the_next_question_is_asked() -> None:
    """A program that keeps the filter beside it is not left waiting."""
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with subprocess.Popen(
        command("calendar", "evaluate"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=buffered,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for number in range(3):
            process.stdin.write(lines({**ADD, "id": number}))
            process.stdin.flush()
            answered, _, _ = select.select([process.stdout], [], [], DONE_IN_SECONDS)
            if not answered:
                process.kill()
            assert json.loads(process.stdout.readline())["id"] == number
        process.stdin.close()
        assert process.wait(DONE_IN_SECONDS) == 0


def test_whoever_stops_reading_is_not_complained_to() -> None:
    with subprocess.Popen(
        command("calendar", "evaluate"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        _, complaints = process.communicate(lines(ADD), timeout=DONE_IN_SECONDS)
    assert (process.returncode, complaints) == (0, b"")


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    done = run("sla", "evaluate", str(tmp_path / "none"))
    assert done.returncode == 1
    assert done.stderr.decode().splitlines() == [
        f"ticketing: {tmp_path / 'none'} cannot be read: No such file or directory"
    ]


@pytest.mark.parametrize("end", [b"\n", b""])
def test_a_line_too_long_is_refused_and_the_rest_goes_on(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes], end: bytes
) -> None:
    file = tmp_path / "long"
    file.write_bytes(
        b"a\n" + b"x" * (LINE_BYTES_MAX + 1) + b"\nb\n" + b"y" * (LINE_BYTES_MAX + 1) + end
    )
    filter_lines(
        file,
        lambda raw, index: {"raw": raw.decode(), "index": index},
        lambda index, refusal: {"error": refusal.field, "index": index},
    )
    printed = capfdbinary.readouterr()
    assert answers(printed.out) == [
        {"raw": "a", "index": 0},
        {"error": "line[1]", "index": 1},
        {"raw": "b", "index": 2},
        {"error": "line[3]", "index": 3},
    ]
    assert printed.err == b"2 of 4 lines refused\n"
