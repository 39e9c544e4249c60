"""Names, types and how a file may be shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.attachments import rules


@pytest.mark.parametrize(
    ("given_name", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\a\\report.pdf", "report.pdf"),
        ("gpj.\u202eexe", "gpj._exe"),
        ("a\r\nSet-Cookie: x", "a_Set-Cookie_ x"),
        ("...", "file"),
        ("", "file"),
    ],
)
def test_a_name_is_only_a_name(given_name: str, kept: str):
    assert rules.clean_name(given_name) == kept


@given(st.text(max_size=400))
def test_no_name_breaks_out_of_its_header(name: str):
    header = rules.disposition(rules.clean_name(name), "text/plain", wants_inline=False)
    assert header.isascii()
    assert header.isprintable()
    assert header.count('"') == 2


@pytest.mark.parametrize(
    "kind", ["text/html", "image/svg+xml", "application/xhtml+xml", "text/javascript"]
)
def test_what_a_browser_could_run_is_bytes(kind: str):
    assert rules.served_type(kind) == "application/octet-stream"
    assert rules.disposition("a", kind, wants_inline=True).startswith("attachment")


def test_only_pictures_without_script_are_shown_inline_and_only_on_demand():
    assert rules.disposition("a.png", "image/png", wants_inline=True).startswith("inline")
    assert rules.disposition("a.png", "image/png", wants_inline=False).startswith("attachment")
    assert rules.disposition("a.pdf", "application/pdf", wants_inline=True).startswith("attachment")


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("Text/HTML; charset=x", "text/html"),
        ("nonsense", "application/octet-stream"),
        ("a/b\r\nX: y", "application/octet-stream"),
        (None, "application/octet-stream"),
    ],
)
def test_a_type_is_only_a_type(said: str | None, kept: str):
    assert rules.clean_type(said) == kept


@pytest.mark.parametrize("name", ["virus.EXE", "virus.exe. .", "a.pdf.scr"])
def test_programs_are_not_kept(name: str):
    assert rules.refusal(rules.clean_name(name))
    assert rules.refusal("report.pdf") is None
