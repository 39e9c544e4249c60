"""The settings file of mailboxes: what it may say, and how a mistake is named."""

import re
from pathlib import Path

import pytest

from services.intake.channels.mail.mailboxes import Mailboxes, MailboxesAreWrong


def read(tmp_path: Path, text: str) -> Mailboxes:
    file = tmp_path / "mailboxes.yaml"
    file.write_text(text, encoding="utf-8")
    return Mailboxes.read(file)


def test_without_a_file_there_are_none():
    assert Mailboxes.read(None).all == ()


def test_an_address_is_found_with_a_plus_and_in_any_case(tmp_path: Path):
    boxes = read(tmp_path, "mailboxes: [{name: help, addresses: [Help@desk.example]}]")
    assert boxes.at("HELP+7-abc@desk.EXAMPLE").name == "help"
    assert boxes.at("helper@desk.example") is None
    assert boxes.first_of(["x@y.example", "help@desk.example"]).name == "help"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("mailboxes: [{name: help}]", "addresses"),
        ("mailboxes: [{name: help, addresses: [nowhere]}]", "addresses"),
        ("mailboxes: [{name: help, addresses: [a@b], colour: red}]", "colour"),
        ("mailboxes: [{name: H, addresses: [a@b]}]", "name"),
        ("mailboxes: [{name: a, addresses: [a@b]}, {name: a, addresses: [c@d]}]", "called a"),
        ("mailboxes: [{name: a, addresses: [a@b]}, {name: c, addresses: [A@b]}]", "A@b"),
        ("mailboxes: [{name: a, addresses: [a@b], imap: {host: x}}]", "user"),
        ("mailboxes: [", "mailboxes.yaml"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, text: str, named: str):
    with pytest.raises(MailboxesAreWrong, match=named):
        read(tmp_path, text)


def test_a_file_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(MailboxesAreWrong, match=r"absent\.yaml"):
        Mailboxes.read(tmp_path / "absent.yaml")


def test_the_example_of_the_documentation_is_a_file_of_mailboxes(tmp_path: Path):
    page = Path(__file__).parents[3] / "docs" / "channels-email.md"
    example, of_mail_out = re.findall(
        r"```yaml mailboxes\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL
    )
    assert read(tmp_path, of_mail_out).named("help").acknowledgement is not None
    boxes = read(tmp_path, example)
    assert boxes.named("billing").imap.done == "Archive"
