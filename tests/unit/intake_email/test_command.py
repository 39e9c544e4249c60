"""`ticketing intake parse-email`: one JSON line a message, whatever is in the file."""

import json
from pathlib import Path

from typer.testing import CliRunner

from deploy.commands.intake import app
from tests.unit.intake_email.letters import a_file, a_letter, a_part, of_parts


def lines_of(*arguments: str, given: bytes | None = None) -> list[dict]:
    result = CliRunner().invoke(app, ["parse-email", *arguments], input=given)
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_each_file_is_a_line_in_the_order_given(tmp_path: Path):
    names = []
    for number, raw in enumerate((a_letter(subject="ä\n b"), b"", b"\xff\0\n\n\xfe")):
        path = tmp_path / f"{number}.eml"
        path.write_bytes(raw)
        names.append(str(path))
    lines = lines_of(*names)
    assert [line["file"] for line in lines] == names
    assert lines[0]["subject"] == "ä b"
    assert all("attachments" in line and "defects" in line for line in lines)


def test_a_file_that_cannot_be_opened_is_a_line_between_the_others(tmp_path: Path):
    good = tmp_path / "good.eml"
    good.write_bytes(a_letter())
    absent, found = lines_of(str(tmp_path / "absent.eml"), str(good))
    assert absent == {
        "file": str(tmp_path / "absent.eml"),
        "defects": ["cannot be opened: No such file or directory"],
    }
    assert found["subject"] == "Printer"
    (folder,) = lines_of(str(tmp_path))
    assert folder["defects"] == ["cannot be opened: Is a directory"]


def test_standard_input_is_read():
    raw = of_parts(a_part("text/plain", "hi"), a_file("a.pdf", b"%PDF"))
    (line,) = lines_of("-", given=raw)
    assert (line["file"], line["text"]) == ("-", "hi")
    assert line["attachments"][0]["name"] == "a.pdf"
    assert "content" not in line["attachments"][0]


def test_no_file_is_a_usage_error():
    assert CliRunner().invoke(app, ["parse-email"]).exit_code == 2
