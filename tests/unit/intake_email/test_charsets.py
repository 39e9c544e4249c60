"""Text out of bytes: what is declared, what is declared wrongly, what nobody declared."""

# ruff: noqa: RUF001 - letters of other alphabets are meant

import pytest

from services.intake.channels.mail.charsets import codec_for, decode
from tests.unit.intake_email.letters import a_part, of_parts, parsed


@pytest.mark.parametrize(
    ("label", "codec", "text"),
    [
        ("utf-8", "utf-8", "žluťoučký"),
        ("UTF8", "utf-8", "žluťoučký"),
        ('"utf-8"', "utf-8", "žluťoučký"),
        ("X-GBK", "gb18030", "打印机"),
        ("gb2312", "gb18030", "打印机"),
        ("ks_c_5601-1987", "cp949", "프린터 똠방각하"),
        ("iso-2022-jp", "iso2022_jp", "プリンター"),
        ("Shift_JIS", "cp932", "①プリンター"),
        ("big5", "big5", "印表機"),
        ("koi8-r", "koi8-r", "принтер"),
        ("windows-1251", "cp1251", "принтер"),
        ("iso-8859-1", "cp1252", "5 € – “quoted”"),
        ("iso-8859-8-i", "iso8859-8", "מדפסת"),
        ("windows-874", "cp874", "เครื่องพิมพ์"),
        ("unicode-1-1-utf-7", "utf-7", "принтер"),
        ("utf-16", "utf-16", "принтер"),
    ],
)
def test_the_declared_charset_is_read(label: str, codec: str, text: str):
    assert decode(text.encode(codec), label) == (text, None)


@pytest.mark.parametrize(
    "label",
    ["", "x-unknown", "punycode", "idna", "unicode_escape", "zip", "hex", "a\0b", "ä", "../../x"],
)
def test_what_is_no_charset_is_none(label: str):
    assert codec_for(label) is None


def test_utf8_under_a_western_label_is_read_as_utf8_and_said():
    for label in ("us-ascii", "iso-8859-1", "windows-1252"):
        text, defect = decode("grün".encode(), label)
        assert text == "grün"
        assert defect is not None
        assert "read as utf-8" in defect


def test_western_text_stays_western():
    assert decode("grün".encode("cp1252"), "iso-8859-1") == ("grün", None)


def test_a_false_label_gives_way_to_what_the_bytes_are():
    russian = "Здравствуйте, у меня не работает принтер, помогите пожалуйста разобраться".encode(
        "cp1251"
    )
    text, defect = decode(russian, "utf-8")
    assert "принтер" in text
    assert defect is not None


def test_one_bad_byte_does_not_change_the_charset():
    text, defect = decode(("надо " * 60).encode("koi8-u") + b"\xff", "utf-8")
    assert defect is not None
    good = ("grün und blau " * 60).encode()
    text, defect = decode(good + b"\xff", "utf-8")
    assert text.startswith("grün und blau")
    assert defect == "some bytes are not 'utf-8'"


def test_text_without_a_label_is_guessed():
    japanese = "プリンターが動きません。助けてください。よろしくお願いします。".encode("shift_jis")
    assert "プリンター" in decode(japanese, None)[0]
    assert decode("naïve".encode("cp1252"), None)[0] == "naïve"
    assert decode(b"plain", None) == ("plain", None)


def test_an_unknown_label_is_said():
    text, defect = decode("grün".encode(), "x-klingon")
    assert text == "grün"
    assert defect == "unknown charset 'x-klingon'; read as utf-8"


def test_halves_of_characters_never_leave():
    for codec, raw in (
        ("utf-7", b"+2AA-"),
        ("utf-16-le", b"\x00\xd8a\x00"),
        ("utf-8", b"\xed\xa0\x80"),
    ):
        decode(raw, codec)[0].encode()


def test_undeclared_bytes_in_the_header_are_read_as_the_body_is():
    raw_subject = "Сломался принтер".encode("koi8-r")
    message = parsed(
        "привет".encode("koi8-r"), subject=raw_subject, content_type="text/plain; charset=koi8-r"
    )
    assert message.subject == "Сломался принтер"
    assert message.text == "привет"
    assert parsed(subject="Сломался".encode()).subject == "Сломался"
    assert parsed(subject="Störung".encode("cp1252")).subject == "Störung"


def test_undeclared_bytes_in_names_too():
    message = parsed(**{"from": "Jörg <j@x.example>".encode("latin-1")})
    assert message.from_ is not None
    assert (message.from_.name, message.from_.address) == ("Jörg", "j@x.example")


def test_each_part_has_its_own_charset():
    from services.intake.channels.email_message import parse

    raw = of_parts(
        a_part("text/plain; charset=koi8-r", "раз".encode("koi8-r")),
        a_part("text/plain; charset=gb2312", "二".encode("gb2312")),
    )
    assert parse(raw).text == "раз\n二"


def test_a_nul_is_no_character_of_a_text():
    assert parsed(b"a\0b").text == "a\ufffdb"
