"""Transfer encodings, whole and broken."""

import base64
import binascii

import pytest

from services.intake.channels.mail.transfer import unpacked


@pytest.mark.parametrize("name", ["", "7bit", "8BIT", " binary ", "7-bit", "8bit; x"])
def test_what_is_not_encoded_stays(name: str):
    assert unpacked(b"a=41\xff", name) == (b"a=41\xff", None)


@pytest.mark.parametrize(
    ("packed", "content", "defect"),
    [
        (b"aGVsbG8=", b"hello", None),
        (b"aGVs\r\nbG8=\r\n", b"hello", None),
        (b"aGVsbG8", b"hello", None),
        (b"aGVs*bG8=!", b"hello", None),
        (b"aGVsbG8=\n--\nfooter", b"hello", "base64 in several pieces"),
        (b"aGVsbG8=\naGVsbG8=\n", b"hellohello", "base64 in several pieces"),
        (b"aGVsbG8hI", b"hello!", "base64 is cut off"),
        (b"", b"", None),
        (b"====", b"", None),
    ],
)
def test_base64(packed: bytes, content: bytes, defect: str | None):
    found, said = unpacked(packed, "BASE64")
    assert found.startswith(content)
    assert said == defect


def test_quoted_printable_keeps_what_it_does_not_know():
    assert unpacked(b"gr=C3=BCn =\nand =ZZ =4", "Quoted-Printable") == (
        "grün and =ZZ =4".encode(),
        None,
    )


def test_uuencode():
    content = bytes(range(256))
    lines = b"".join(binascii.b2a_uu(content[at : at + 45]) for at in range(0, 256, 45))
    assert unpacked(b"begin 644 a.bin\n" + lines + b"`\nend\n", "x-uuencode") == (content, None)
    found, said = unpacked(b"begin 644 a.bin\n" + lines, "uuencode")
    assert (found, said) == (content, "uuencode is cut off")
    assert unpacked(b"no beginning", "x-uue")[1] is not None


def test_an_unknown_encoding_is_said_and_left_alone():
    assert unpacked(b"x", "rot13") == (b"x", "unknown transfer encoding 'rot13'; taken as it is")


def test_bytes_survive_the_way_round():
    content = bytes(range(256)) * 50
    assert unpacked(base64.encodebytes(content), "base64") == (content, None)
