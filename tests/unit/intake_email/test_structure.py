"""Parts: nested, broken, without their boundary; contained messages whole."""

import pytest

from services.intake.channels.email_message import parse
from services.intake.channels.mail import structure
from services.intake.channels.mail.structure import DEPTH_MAX, FIELDS_MAX, PARTS_MAX
from tests.unit.intake_email.letters import a_file, a_letter, a_part, joined, nested, of_parts

PLAIN = a_part("text/plain", "words")
PDF = a_file("a.pdf", b"%PDF")
TWO = joined(PLAIN, PDF)


def names(raw: bytes) -> tuple[str | None, list[str]]:
    message = parse(raw)
    return message.text, [one.name for one in message.attachments]


def test_a_multipart_has_its_parts():
    raw = of_parts(PLAIN, PDF)
    assert names(raw) == ("words", ["a.pdf"])
    assert parse(raw).defects == []


@pytest.mark.parametrize(
    ("content_type", "body", "defect"),
    [
        ("multipart/mixed; boundary=b", TWO.removesuffix(b"--b--\n"), "the last part has no end"),
        ("multipart/mixed", TWO, "multipart without a boundary"),
        ('multipart/mixed; boundary=""', TWO, "multipart without a boundary"),
        (
            "multipart/mixed; boundary=other",
            TWO,
            "no part begins at the boundary that was declared",
        ),
        ("multipart/mixed; boundary=b", TWO + TWO, "parts after the last part's end"),
    ],
)
def test_broken_multiparts_keep_their_parts(content_type: str, body: bytes, defect: str):
    message = parse(a_letter(body, content_type=content_type))
    assert message.text is not None
    assert "words" in message.text
    assert message.attachments
    assert {one.content for one in message.attachments} == {b"%PDF"}
    assert defect in message.defects


@pytest.mark.parametrize("boundary", ["-", "b--", "a b", "b'()+_,-./:=?", "=_x==", "b" * 150])
def test_odd_boundaries_are_boundaries(boundary: str):
    raw = a_letter(
        joined(PLAIN, PDF, boundary=boundary),
        content_type=f'multipart/mixed; boundary="{boundary}"',
    )
    assert names(raw) == ("words", ["a.pdf"])


def test_a_boundary_inside_a_line_or_longer_is_text():
    text = "see --b\n--bb\n --b\n--b x"
    assert names(of_parts(a_part("text/plain", text)))[0] == text


def test_white_space_after_a_boundary_is_nothing():
    assert names(of_parts(PLAIN, PDF).replace(b"--b\n", b"--b \t\n")) == ("words", ["a.pdf"])


def test_the_outer_boundary_ends_an_inner_multipart_that_does_not_end():
    inner = nested(PLAIN, kind="alternative", boundary="i").removesuffix(b"--i--\n")
    assert names(of_parts(inner, PDF)) == ("words\n", ["a.pdf"])


def test_a_contained_message_has_the_bytes_that_were_sent():
    contained = a_letter("inside  \nx\n", subject="Inner", content_type="text/plain").replace(
        b"\n", b"\r\n"
    )
    message = parse(of_parts(PLAIN, a_part("message/rfc822", contained)))
    (one,) = message.attachments
    assert (one.name, one.content_type, one.size) == ("Inner.eml", "message/rfc822", len(contained))
    assert one.content == contained
    assert message.subject == "Printer"
    assert message.text == "words"


def test_a_message_that_is_nothing_but_another_message_is_an_attachment():
    message = parse(a_letter(a_letter("inside", subject="Inner"), content_type="message/rfc822"))
    assert message.text is None
    assert [one.name for one in message.attachments] == ["Inner.eml"]


def test_a_digest_is_one_attachment_a_message():
    digest = nested(
        b"\n" + a_letter("one", subject="First"),
        b"\n" + a_letter("two", subject="Second"),
        kind="digest",
        boundary="d",
    )
    assert names(of_parts(PLAIN, digest)) == ("words", ["First.eml", "Second.eml"])


def test_words_before_the_first_part_count_only_when_there_are_no_others():
    head = 'multipart/mixed; boundary="b"'
    assert names(a_letter(b"Hi\n" + joined(PDF), content_type=head)) == ("Hi", ["a.pdf"])
    assert names(a_letter(b"Hi\n" + joined(PLAIN), content_type=head)) == ("words", [])
    usual = b"This is a multi-part message in MIME format.\n"
    assert names(a_letter(usual + joined(PDF), content_type=head)) == (None, ["a.pdf"])


def test_parts_that_cannot_be_told_apart_are_text():
    message = parse(a_letter("no parts here", content_type="multipart/mixed; boundary=b"))
    assert message.text == "no parts here"


@pytest.mark.parametrize(
    "before",
    [
        b"\xef\xbb\xbf",
        b"\n",
        b"\r\n \r\n",
        b"From ann@customer.example Wed Sep 13 13:05:45 2017\n",
    ],
)
def test_what_stands_before_the_header_is_passed_over(before: bytes):
    message = parse(before + a_letter())
    assert (message.subject, message.text) == ("Printer", "It is on fire.\n")


def test_a_line_that_is_no_field_does_not_end_the_header():
    raw = b"Received: from x\n\\tby y\n" + a_letter()
    message = parse(raw)
    assert (message.subject, message.text) == ("Printer", "It is on fire.\n")
    assert message.defects == ["lines in the header that are no field"]
    assert parse(b"garbage\n" + a_letter()).subject == "Printer"


def test_a_body_without_a_blank_line_before_it_is_a_body():
    raw = of_parts(b"Content-Type: text/plain\nHi people!\n\nHow are you?")
    message = parse(raw)
    assert message.text == "Hi people!\n\nHow are you?"
    assert message.defects == ["no blank line between header and body"]


def test_depth_is_bounded_and_what_is_too_deep_is_kept():
    raw = a_part("text/plain", "deep words")
    for depth in range(DEPTH_MAX + 20):
        raw = nested(raw, kind="mixed", boundary=f"b{depth}")
    message = parse(raw)
    assert message.text is not None
    assert "deep words" in message.text
    assert any("inside each other" in defect for defect in message.defects)


def test_the_number_of_parts_is_bounded():
    message = parse(of_parts(*[PDF] * (PARTS_MAX + 50)))
    assert len(message.attachments) == PARTS_MAX
    assert f"more than {PARTS_MAX} parts; the rest is left out" in message.defects


def test_the_number_of_fields_is_bounded():
    fields = b"X: y\n" * (FIELDS_MAX // 5)
    message = parse(of_parts(*[fields + a_part("text/plain", "x")] * 6))
    assert message.text == "\n".join("x" * 6)
    assert f"more than {FIELDS_MAX} fields; the rest is left out" in message.defects


def test_a_type_that_is_none_is_text():
    for content_type in ("text", "", "nonsense", "/", "text/plain/x"):
        assert parse(a_letter("x", content_type=content_type)).text == "x"


def test_the_blocks_of_a_report_are_told_apart():
    found = list(structure.blocks(b"A: 1\r\nB: 2\r\n\r\n\r\nA: 3\n c\n\n"))
    assert [(one.text("a"), one.text("b")) for one in found] == [("1", "2"), ("3 c", "")]
