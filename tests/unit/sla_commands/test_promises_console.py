"""`ticketing sla backtest` reads drafts as people have them, and prints every figure of the answer."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deploy import promises
from deploy.cli import app
from deploy.local.problems import CannotStart
from tests.unit.sla_live.test_backtest import STRICT, a_ticket_answered_after, answer, trial


def a_result() -> dict[str, Any]:
    told = answer(trial(STRICT), a_ticket_answered_after(30))
    return json.loads(json.dumps(told, default=lambda moment: moment.isoformat()))


def test_a_draft_may_be_json_yaml_a_list_or_what_the_api_answered(tmp_path: Path) -> None:
    (tmp_path / "gold.yaml").write_text("targets:\n- {metric: first_reply, seconds: 60}\n")
    (tmp_path / "two.json").write_text('[{"id": "a", "targets": []}, {"id": "b", "targets": []}]')
    answered = {"id": "vip", "version": 3, "definition": {"targets": [], "order": 5}}
    (tmp_path / "answer.json").write_text(json.dumps(answered))
    found = promises.read_drafts(
        [tmp_path / "gold.yaml", tmp_path / "two.json", tmp_path / "answer.json"]
    )
    assert [draft["id"] for draft in found] == ["gold", "a", "b", "vip"]
    assert found[3] == {"id": "vip", "targets": [], "order": 5}


@pytest.mark.parametrize("text", ["- 1", "just words", "{", ""])
def test_a_file_that_holds_no_policy_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "draft.yaml"
    file.write_text(text)
    with pytest.raises(CannotStart, match=r"draft\.yaml"):
        promises.read_drafts([file])


def test_the_answer_is_printed_for_people_with_all_its_doubts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    promises.show(a_result(), as_json=False)
    out = capsys.readouterr().out
    assert "1 tickets opened from 2026-03-01T12:00 to 2026-03-04T12:00 UTC" in out
    assert "1 newly breached, 0 no longer, 0 clocks otherwise." in out
    assert "#1 first_reply 1: breached, was met" in out
    assert "network" in out
    assert out.count("Note:") == 3


def test_the_answer_is_one_line_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    result = a_result()
    promises.show(result, as_json=True)
    assert json.loads(capsys.readouterr().out) == result


def test_nobody_at_the_front_door_is_said_in_a_line(tmp_path: Path) -> None:
    file = tmp_path / "p.json"
    file.write_text('{"targets": []}')
    done = CliRunner().invoke(
        app,
        ["sla", "backtest", "--policy", str(file), "--url", "http://127.0.0.1:9", "--token", "t"],
    )
    assert done.exit_code != 0
    assert "the front door did not answer" in str(done.exception) + done.output
