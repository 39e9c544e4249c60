"""Real odd messages with what other products read in them, if they are at hand: we agree, or say why ours is better.

Nobody here may copy them; name their folder with the variable, or put it where the skip says.
"""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import pytest

from services.intake.channels.email_message import EmailMessage, parse

VARIABLE: Final = "TICKETING_TEST_EMAILS"
_PLACE: Final = "shared/data/emails"
FOLDER: Final = Path(os.environ.get(VARIABLE) or Path(__file__).parents[4] / _PLACE)

AGREED: Final = {
    "chatwoot": (14, 14),
    "django-helpdesk": (10, 10),
    "talon-replies": (10, 12),
    "webklex-php-imap": (243, 248),
}
"""Facts in which we agree, of those that were expected, by source."""

OURS_IS_BETTER: Final = {
    ("talon-replies/iphone.eml", "reply_text"): "a line of the telephone is a signature; that product cuts them later",
    ("talon-replies/sparrow.eml", "reply_text"): "what follows `-- ` is a signature; as above",
    ("webklex-php-imap/attachment_long_filename.eml", "attachment_names"): (
        "two fields name the first file differently; RFC 2183 makes the disposition's the file's name"
    ),
    ("webklex-php-imap/embedded_email_without_content_disposition.eml", "attachment_names"): (
        "a contained message without a name is called by its subject, not by a hash"
    ),
    ("webklex-php-imap/example_bounce.eml", "attachment_names"): "the same",
    ("webklex-php-imap/example_bounce.eml", "attachment_sha256"): (
        "ours are the bytes of the returned message; no stretch of the file, with either line end, has their hash"
    ),
    ("webklex-php-imap/inline_attachment.eml", "attachment_names"): (
        "a picture without a name gets one from its type, not a hash"
    ),
}  # fmt: skip
_UNKNOWN: Final = frozenset({"file", "oracle", "complete"})


class Fact(NamedTuple):
    """One thing that another product read in a message, and what we read."""

    source: str
    message: str
    name: str
    theirs: Any
    ours: Any

    @property
    def agrees(self) -> bool:
        return self.theirs == self.ours


@pytest.fixture(scope="module")
def raws() -> dict[str, bytes]:
    """Every raw message by `<source>/<file>`."""
    found = {
        f"{path.parents[1].name}/{path.name}": path.read_bytes()
        for path in sorted(FOLDER.glob("*/raw/*"))
    }
    if not found:
        pytest.skip(
            f"the messages are not here: name their folder with {VARIABLE}, or put it at {FOLDER}"
        )
    return found


@pytest.fixture(scope="module")
def facts(raws: dict[str, bytes]) -> list[Fact]:
    return [
        fact
        for path in sorted(FOLDER.glob("*/expected/*.json"))
        for fact in compared(
            path.parents[1].name,
            json.loads(path.read_text(encoding="utf-8")),
            parse(raws[f"{path.parents[1].name}/{path.name.removesuffix('.json')}"]),
        )
    ]


def test_every_message_is_read_and_can_be_stored(raws: dict[str, bytes]):
    assert len(raws) >= 114
    for name, raw in raws.items():
        line = msgspec.json.decode(msgspec.json.encode(parse(raw).without_contents()))
        assert line["text"] or line["html"] or line["attachments"], name


def test_we_agree_or_say_why_not(facts: list[Fact]):
    found = {(f"{one.source}/{one.message}", one.name): one for one in facts if not one.agrees}
    assert found.keys() == OURS_IS_BETTER.keys(), {
        key: (one.theirs, one.ours) for key, one in found.items() if key not in OURS_IS_BETTER
    }


def test_the_level_reached_stays_reached(facts: list[Fact]):
    asked = Counter(one.source for one in facts)
    agreed = Counter(one.source for one in facts if one.agrees)
    assert {source: (agreed[source], asked[source]) for source in asked} == AGREED


def compared(source: str, expected: dict[str, Any], message: EmailMessage) -> Iterator[Fact]:
    for name, value in expected.items():
        if name not in _UNKNOWN:
            theirs, ours = one_fact(name, value, message)
            yield Fact(source, expected["file"], name, theirs, ours)


def one_fact(name: str, value: Any, message: EmailMessage) -> tuple[Any, Any]:
    """Theirs and ours in one form: line ends and white space at the ends of lines are conventions."""
    if name == "attachment_sha256":
        return hashes(value, message)
    ours = OURS[name](message)
    if name in {"body_text", "body_html", "reply_text"}:
        return lines(value), lines(ours)
    if name in {"subject_starts_with", "reply_text_first_71_chars"}:
        return value.strip(), ours[: len(value.strip())]
    if name == "body_contains":
        return True, value in ours
    if name == "date":
        return datetime.fromisoformat(value), ours
    return value.strip() if name == "subject" else value, ours


OURS: Final[dict[str, Callable[[EmailMessage], Any]]] = {
    "subject": lambda one: one.subject,
    "subject_starts_with": lambda one: one.subject,
    "body_text": lambda one: one.text,
    "body_html": lambda one: one.html,
    # One source shows the HTML where a message says different things in its two bodies.
    "body_contains": lambda one: f"{one.text}{one.html}",
    "reply_text": lambda one: one.reply_text,
    "reply_text_first_71_chars": lambda one: " ".join((one.reply_text or "").split()),
    "from_email": lambda one: one.from_.address if one.from_ else None,
    "to_email": lambda one: one.to[0].address if one.to else None,
    "date": lambda one: one.date,
    "date_utc": lambda one: f"{one.date:%Y-%m-%d %H:%M:%S}" if one.date else None,
    "has_html_body": lambda one: one.html is not None,
    # We make the text that a message lacks.
    "has_text_body": lambda one: one.text is not None and not one.text_is_from_html,
    "attachment_count": lambda one: len(one.attachments),
    "attachment_names": lambda one: [file.name for file in one.attachments],
    "auto_reply": lambda one: one.is_auto_reply,
    "message_id": lambda one: one.message_id,
    "in_reply_to": lambda one: one.in_reply_to,
}


def hashes(theirs: list[str], message: EmailMessage) -> tuple[list[str], list[str]]:
    """Their harness gives contained messages other line ends and trims them; either form of ours is the same file."""
    ours = []
    for at, one in enumerate(message.attachments):
        retold = one.content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n").rstrip()
        other = hashlib.sha256(retold).hexdigest()
        contained = one.content_type.startswith("message/")
        ours.append(other if contained and other in theirs[at : at + 1] else one.sha256)
    return theirs, ours


def lines(text: str | None) -> str:
    return "\n".join(line.rstrip() for line in (text or "").splitlines()).strip()
