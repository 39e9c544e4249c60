"""Whatever comes over the wire: it is read, it can be stored and sent as JSON, and it costs what its size allows."""

import random
import tracemalloc
from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.intake.channels.email_message import EmailMessage, parse
from tests.unit.intake_email.letters import HEAD, a_file, a_letter, a_part, nested, of_parts

LETTERS = [
    a_letter(),
    a_letter("grün".encode("cp1252"), subject="=?utf-8?b?w6Q=?= =?x?q?a?=", content_type="text/plain; charset=x"),
    of_parts(
        nested(a_part("text/plain", "a"), a_part("text/html", "<p>a<blockquote>b"), kind="alternative", boundary="i"),
        a_file("a.pdf", b"%PDF" * 20),
        a_part("message/rfc822", a_letter("inner")),
        a_part("message/delivery-status", "A: b\n\nFinal-Recipient: rfc822; a@b\nAction: failed\n"),
        kind="report",
    ),
    a_letter("On Mon, Apr 2, 2012 at 6:26 PM, Ann <a@b.c> wrote:\n> hi\n\n-- \nme\n", cc='"a, b" <a@b.c>, g: x@y.z;'),
]  # fmt: skip
CRUMBS = [
    b"\n", b"\r", b"\n\n", b"--b", b"--b--", b"--i\n", b"=?", b"?=", b'"', b"\\", b"<", b">", b"(", b":", b";", b"=",
    b"\0", b"\xff", b"\xed\xa0\x80", b"Content-Type: multipart/mixed\n", b"Content-Type: message/rfc822\n",
    b"Content-Transfer-Encoding: base64\n", b"Content-Transfer-Encoding: x-uuencode\nbegin 6\n", b"charset=punycode",
    b"charset=utf-7", b"charset=zip", b"charset=idna", b"name*0*=", b"*1*=%", b"boundary*99999=", b"Date: 1 1 1 1 1",
    b"<table>", b"<!--", b"&#xd800;", b"> ", b"wrote:", b"From: ", b" ",
]  # fmt: skip


def is_sound(message: EmailMessage) -> bool:
    """JSON takes it, PostgreSQL's text takes it, and one-line fields are on one line."""
    encoded = msgspec.json.encode(message.without_contents())
    # Looked for in what was written, not in how: a person may well write a backslash and "u0000".
    has_nul = any("\x00" in text for text in _texts(msgspec.json.decode(encoded)))
    lines = [message.subject, *[one.name for one in message.attachments], *message.references]
    lines += [word for one in [*message.to, *message.cc] for word in (one.name, one.address)]
    return not has_nul and not any("\n" in line or "\r" in line for line in lines)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=600))
def test_any_bytes_are_a_message(raw: bytes):
    assert is_sound(parse(raw))


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([*HEAD, "Content-Type", "Cc", "References", "In-Reply-To", "Content-Transfer-Encoding"]),
    st.binary(max_size=200),
    st.binary(max_size=200),
)  # fmt: skip
def test_any_bytes_in_any_field_are_a_message(name: str, value: bytes, body: bytes):
    assert is_sound(parse(name.encode() + b": " + value + b"\n" + a_letter(body)))


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=300), st.sampled_from(["text/plain", "text/html"]))
def test_any_text_is_a_message(text: str, content_type: str):
    raw = a_letter(text.encode("utf-8", "replace"), content_type=f"{content_type}; charset=utf-8")
    assert is_sound(parse(raw))


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(LETTERS), st.integers(0, 2**32), st.integers(1, 12))
def test_good_messages_that_were_damaged_are_messages(raw: bytes, seed: int, changes: int):
    assert is_sound(parse(damaged(raw, random.Random(seed), changes)))


def damaged(raw: bytes, chance: random.Random, changes: int) -> bytes:
    for _ in range(changes):
        at, to = sorted(chance.randrange(len(raw) + 1) for _ in range(2))
        match chance.randrange(4):
            case 0:
                raw = raw[:at] + chance.choice(CRUMBS) + raw[at:]
            case 1:
                raw = raw[:at] + raw[min(to, at + 40) :]
            case 2:
                raw = raw[:to] + raw[at:to] + raw[to:]
            case _:
                raw = raw[:at] + bytes([chance.randrange(256)]) + raw[at + 1 :]
        raw = raw[:100_000]
    return raw


MEGABYTES = 4
SIZE = MEGABYTES * 1024 * 1024


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(of_parts(a_part("text/plain", "hi"), a_file("a.bin", bytes(SIZE * 3 // 4))), id="base64"),
        pytest.param(a_letter(b"a\n" * (SIZE // 2)), id="short lines"),
        pytest.param(a_letter(b"a" * SIZE), id="one line"),
        pytest.param(a_letter(b"\n" * SIZE), id="blank lines"),
        pytest.param(a_letter(bytes(range(256)) * (SIZE // 256), content_type="application/x"), id="bytes"),
        pytest.param(of_parts(*[b"\nx"] * (SIZE // 7)), id="many parts"),
        pytest.param(b"X: y\n" * (SIZE // 5) + a_letter(), id="a header only"),
    ],
)  # fmt: skip
def test_memory_is_a_few_times_the_size(raw: bytes):
    tracemalloc.start()
    try:
        assert is_sound(parse(raw))
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # Beside it there is what texts and one header may cost at most, whatever the size: some 20 MB.
    assert peak_bytes < 3 * len(raw) + 20 * 1024 * 1024


def test_ten_thousand_fields_are_read():
    raw = b"".join(b"X-%d: y\n" % n for n in range(10_000)) + a_letter()
    assert parse(raw).subject == "Printer"


def test_a_thousand_messages_in_messages_stay_one_attachment():
    raw = b"Content-Type: message/rfc822\n\n" * 1_000 + a_letter()
    assert len(parse(raw).attachments) == 1


def test_a_written_escape_is_text_and_a_real_nul_is_not():
    assert "\\u0000" in (parse(a_letter(b"\\u0000")).text or "")
    assert is_sound(parse(a_letter(b"\\u0000")))
    assert is_sound(parse(a_letter(b"a\x00b")))
