"""What is the message and what is attached to it."""

# ruff: noqa: RUF001 - letters of other alphabets are meant

import hashlib

import pytest

from services.intake.channels.email_message import parse
from services.intake.channels.mail.bodies import NAME_CHARS_MAX, TEXT_CHARS_MAX
from tests.unit.intake_email.letters import a_file, a_letter, a_part, nested, of_parts, parsed

PNG = a_part("image/png", b"\x89PNG", "Content-ID: <logo@x>")
HTML = a_part("text/html", '<p>Hello <img src="cid:logo@x"></p>')
PLAIN = a_part("text/plain", "Hello")
BOTH = nested(PLAIN, HTML, kind="alternative", boundary="alt")


def test_alternatives_are_one_message():
    message = parse(of_parts(PLAIN, HTML, kind="alternative"))
    assert message.text == "Hello"
    assert message.html == '<p>Hello <img src="cid:logo@x"></p>'
    assert not message.text_is_from_html


def test_only_html_is_text_too():
    message = parsed("<p>Hello<br>you</p>", content_type="text/html")
    assert (message.text, message.text_is_from_html) == ("Hello\nyou", True)


def test_an_empty_plain_alternative_gives_way_to_the_html():
    message = parse(of_parts(a_part("text/plain", " \n"), HTML, kind="alternative"))
    assert message.text == "Hello"
    assert message.text_is_from_html


def test_pieces_between_files_are_all_read():
    message = parse(of_parts(PLAIN, a_file("a.pdf", b"1"), a_part("text/plain", "and more")))
    assert message.text == "Hello\nand more"
    message = parse(of_parts(PLAIN, a_part("text/html", "<b>bold</b>")))
    assert (message.text, message.html) == ("Hello\nbold", "<b>bold</b>")


def test_html_in_pieces_beside_one_plain_text():
    rich = nested(
        a_part("text/html", "<p>one</p>"),
        a_file("a.pdf", b"1"),
        a_part("text/html", "<p>two</p>"),
        kind="mixed",
        boundary="m",
    )
    message = parse(of_parts(a_part("text/plain", "one two"), rich, kind="alternative"))
    assert (message.text, message.html) == ("one two", "<p>one</p>\n<p>two</p>")
    assert [one.name for one in message.attachments] == ["a.pdf"]


def test_a_picture_in_the_html_is_inline():
    message = parse(of_parts(HTML, PNG, kind="related"))
    (one,) = message.attachments
    assert (one.inline, one.content_id, one.content) == (True, "logo@x", b"\x89PNG")


def test_a_picture_nobody_shows_is_attached():
    message = parse(of_parts(PLAIN, PNG))
    assert [one.inline for one in message.attachments] == [False]


def test_a_picture_placed_between_words_is_inline_and_a_document_is_not():
    picture = a_part("image/png", b"1", 'Content-Disposition: inline; filename="a.png"')
    document = a_part("application/pdf", b"1", 'Content-Disposition: inline; filename="a.pdf"')
    message = parse(of_parts(PLAIN, picture, document))
    assert [one.inline for one in message.attachments] == [True, False]


def test_the_root_of_related_parts_may_stand_anywhere():
    root = a_part("text/html", "root", "Content-ID: <root@x>")
    other = a_part("text/html", "other")
    raw = a_letter(
        b"--b\n" + other + b"\n--b\n" + root + b"\n--b--\n",
        content_type='multipart/related; boundary=b; start="<root@x>"',
    )
    assert parse(raw).html == "root\nother"


@pytest.mark.parametrize(
    "part",
    [
        a_part("text/plain", "x", "Content-Disposition: attachment"),
        a_part("text/plain; name=a.txt", "x"),
        a_part("text/html", "x", 'Content-Disposition: inline; filename="a.html"'),
        a_part("text/calendar", "BEGIN:VCALENDAR"),
        a_part("text/csv", "a,b"),
        a_part("application/ms-tnef; name=winmail.dat", b"\x78\x9f\x3e\x22"),
        a_part("application/pgp-signature", "-----BEGIN"),
    ],
)
def test_what_is_no_words_is_attached_whole(part: bytes):
    message = parse(of_parts(PLAIN, part))
    assert message.text == "Hello"
    (one,) = message.attachments
    assert one.content == part.partition(b"\n\n")[2]
    assert one.size == len(one.content)
    assert one.sha256 == hashlib.sha256(one.content).hexdigest()


@pytest.mark.parametrize(
    ("content_type", "name"),
    [
        ("message/delivery-status", "attachment-1.txt"),
        ("application/pkcs7-signature", "attachment-1.p7s"),
        ("text/calendar", "attachment-1.ics"),
        ("image/jpeg", "attachment-1.jpg"),
        ("application/x-never-heard", "attachment-1.bin"),
        ("message/rfc822", "attachment-1.eml"),
    ],
)
def test_a_file_without_a_name_gets_one_from_its_type(content_type: str, name: str):
    assert [one.name for one in parse(of_parts(a_part(content_type, "x"))).attachments] == [name]


@pytest.mark.parametrize(
    ("declared", "name"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\\\Windows\\\\system32\\\\a.dll", "a.dll"),
        ("/", "attachment-1.pdf"),
        ("..", "attachment-1.pdf"),
        (" . a.pdf . ", "a.pdf"),
        ("a\x00b\x1f.pdf", "a b .pdf"),
        ("a:b?.pdf", "a_b_.pdf"),
        ("invoice\u202efdp.exe", "invoice_fdp.exe"),
        ("x" * 400 + ".pdf", "x" * (NAME_CHARS_MAX - 4) + ".pdf"),
    ],
)
def test_a_name_is_no_path_and_no_trick(declared: str, name: str):
    assert [one.name for one in parse(of_parts(a_file(declared, b"1"))).attachments] == [name]


def test_the_file_name_of_the_disposition_counts_unless_it_is_a_lossy_copy():
    def with_names(name: str, filename: str) -> str:
        part = a_part(
            f'application/pdf; name="{name}"',
            "1",
            f'Content-Disposition: attachment; filename="{filename}"',
        )
        return parse(of_parts(part)).attachments[0].name

    assert with_names("old.pdf", "new.pdf") == "new.pdf"
    assert with_names("=?utf-8?q?=D0=B0=D0=B1.pdf?=", "??.pdf") == "аб.pdf"


def test_long_texts_are_cut_and_said():
    message = parsed("line\n" * (TEXT_CHARS_MAX // 5 + 10))
    assert message.text is not None
    assert len(message.text) == TEXT_CHARS_MAX
    assert message.defects == [
        f"more than {TEXT_CHARS_MAX} characters of text; the rest is left out"
    ]


def test_a_long_text_is_not_cut_inside_a_character():
    message = parsed(
        ("ä" * 50 + "\n") * (5 * TEXT_CHARS_MAX // 100), content_type="text/plain; charset=utf-8"
    )
    assert message.text is not None
    assert set(message.text) == {"ä", "\n"}


def test_empty_bodies_are_no_words():
    for raw in (
        a_letter(""),
        a_letter(" \n\n"),
        of_parts(a_part("text/plain", ""), kind="alternative"),
    ):
        message = parse(raw)
        assert (message.text, message.html, message.reply_text) == (None, None, None)


def test_html_without_words_has_html_and_no_text():
    message = parsed('<img src="cid:a">', content_type="text/html")
    assert (message.text, message.html) == (None, '<img src="cid:a">')
    assert parse(of_parts(BOTH, PNG, kind="related")).text == "Hello"
