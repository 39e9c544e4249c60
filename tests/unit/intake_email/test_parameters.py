"""Names of attachments and charsets: parameters as they are really written."""

import pytest

from services.intake.channels.mail.parameters import PARAMETERS_MAX, field, media_type


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("attachment; filename=a.pdf", "a.pdf"),
        ('attachment; filename="a b.pdf"', "a b.pdf"),
        ("attachment; filename=a b.pdf", "a b.pdf"),
        ('attachment; filename="a;b.pdf"; size=3', "a;b.pdf"),
        ('attachment; filename="say \\"hi\\".pdf"', 'say "hi".pdf'),
        ('attachment; filename="C:\\temp\\a.pdf"', "C:\\temp\\a.pdf"),
        ('attachment; filename="C:\\temp\\"; size=3', "C:\\temp\\"),
        ('attachment; filename="unfinished.pdf', "unfinished.pdf"),
        ("attachment; FILENAME=a.pdf", "a.pdf"),
        ("attachment; filename = a.pdf ", "a.pdf"),
        ("attachment; filename=a.pdf; filename=b.pdf", "a.pdf"),
        ('attachment; filename="=?utf-8?q?gr=C3=BCn.pdf?="', "grün.pdf"),
        ('attachment; filename="=?utf-8?b?Z3I=?=\n =?utf-8?b?w7xu?=.pdf"', "grün.pdf"),
        ("attachment; filename*=utf-8''gr%C3%BCn.pdf", "grün.pdf"),
        ("attachment; filename*=UTF-8'de'gr%C3%BCn.pdf", "grün.pdf"),
        ("attachment; filename*=iso-8859-1''gr%FCn.pdf", "grün.pdf"),
        ("attachment; filename*=\"utf-8''gr%C3%BCn.pdf\"", "grün.pdf"),
        ("attachment; filename*=gr%C3%BCn.pdf", "grün.pdf"),
        ("attachment; filename*0=long-; filename*1=name.pdf", "long-name.pdf"),
        ("attachment; filename*1=name.pdf; filename*0=long-", "long-name.pdf"),
        ("attachment; filename*0*=utf-8''gr%C3; filename*1*=%BCn; filename*2=.pdf", "grün.pdf"),
        ("attachment; filename*0*=utf-8''50%25; filename*1=50%25.pdf", "50%50%25.pdf"),
        ("attachment; filename=bad.pdf; filename*=utf-8''good.pdf", "good.pdf"),
        ("attachment; filename*x=a.pdf", None),
        ("attachment; filename*99999999999=a.pdf", None),
        ("attachment; =a; ;; filename=a.pdf", "a.pdf"),
        ("attachment", None),
    ],
)
def test_a_name_is_read(written: str, name: str | None):
    kind, found = field(written)
    assert kind == "attachment"
    assert found.get("filename") == name


def test_undeclared_bytes_in_a_name_are_read():
    raw = "grün.pdf".encode().decode("ascii", "surrogateescape")
    assert field(f'attachment; filename="{raw}"')[1]["filename"] == "grün.pdf"


def test_the_number_of_parameters_is_bounded():
    _, found = field("x" + "".join(f"; p{n}=1" for n in range(10_000)))
    assert len(found) == PARAMETERS_MAX


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("text/html", "text/html"),
        (" Text/HTML ", "text/html"),
        ('"text/html"', "text/html"),
        ("text", None),
        ("text/", None),
        ("a/b/c", None),
        ("", None),
    ],
)
def test_a_media_type_is_two_words(written: str, meant: str | None):
    assert media_type(written) == meant
