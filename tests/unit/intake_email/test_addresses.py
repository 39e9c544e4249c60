"""Mailboxes, however they were written."""

import pytest

from services.intake.channels.mail.addresses import ADDRESSES_MAX, Mailbox, mailboxes


def read(*values: str) -> list[tuple[str, str]]:
    return [(one.name, one.address) for one in mailboxes(values)]


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("a@b.c", [("", "a@b.c")]),
        ("<a@b.c>", [("", "a@b.c")]),
        ("Ann <a@b.c>", [("Ann", "a@b.c")]),
        ("Ann<a@b.c>", [("Ann", "a@b.c")]),
        ('"Lee, Ann" <a@b.c>', [("Lee, Ann", "a@b.c")]),
        ('"Ann \\"A\\" Lee" <a@b.c>', [('Ann "A" Lee', "a@b.c")]),
        ("a@b.c (Ann Lee)", [("Ann Lee", "a@b.c")]),
        ("a@b.c, d@e.f", [("", "a@b.c"), ("", "d@e.f")]),
        ("a@b.c; d@e.f", [("", "a@b.c"), ("", "d@e.f")]),
        ("a@b.c, A@B.C", [("", "a@b.c")]),
        ('"a@b.c" <a@b.c>', [("", "a@b.c")]),
        ("'Ann' <a@b.c>", [("Ann", "a@b.c")]),
        ("=?utf-8?q?Lee=2C_Ann?= <a@b.c>", [("Lee, Ann", "a@b.c")]),
        ('"=?utf-8?q?J=C3=B6rg?=" <a@b.c>', [("Jörg", "a@b.c")]),
        ("=?iso-8859-2?q?us=B3ugi?= | CO <a@b.c>", [("usługi | CO", "a@b.c")]),
        # Groups, and nobody.
        ("undisclosed-recipients:;", []),
        ("Undisclosed recipients:;", []),
        ('"Undisclosed Recipients" <>', []),
        ("Friends: a@b.c, Bo <d@e.f>;, g@h.i", [("", "a@b.c"), ("Bo", "d@e.f"), ("", "g@h.i")]),
        ("MAILER DAEMON <>", []),
        ("", []),
        (" , ;, ", []),
        # Broken ones.
        ("<a@b.c>a@b.c", [("", "a@b.c")]),
        ("a@b.c www.b.c", [("", "a@b.c")]),
        ('"postmaster@" <b.c postmaster@b.c>', [("postmaster@", "postmaster@b.c")]),
        ("Ann <<a@b.c>>", [("Ann", "a@b.c")]),
        ("Ann <a@b.c", [("", "a@b.c")]),
        ("Ann) <a@b.c>, d@e.f", [("Ann)", "a@b.c"), ("", "d@e.f")]),
        ("Lee, Ann <a@b.c>", [("", "Lee"), ("Ann", "a@b.c")]),
        ("Ann <mailto:a@b.c>", [("Ann", "a@b.c")]),
        ("Ann [work] <a@b.c>", [("Ann [work]", "a@b.c")]),
        ('"unfinished <a@b.c>', [("unfinished", "a@b.c")]),
        ('"very odd"@b.c', [("", '"very odd"@b.c')]),
        ("a@[192.0.2.1]", [("", "a@[192.0.2.1]")]),
        ("no_host", [("", "no_host")]),
        ("Zoë@пример.рф", [("", "Zoë@пример.рф")]),
        ("a@b.c\r\nBcc: x@y.z", [("", "x@y.z")]),
    ],
)
def test_mailboxes_are_read(written: str, found: list[tuple[str, str]]):
    assert read(written) == found


def test_repeated_fields_are_one_list():
    assert read("a@b.c", "d@e.f") == [("", "a@b.c"), ("", "d@e.f")]


def test_the_list_is_bounded():
    assert len(read(", ".join(f"a{n}@b.c" for n in range(3_000)))) == ADDRESSES_MAX


def test_no_control_character_is_part_of_a_mailbox():
    for one in mailboxes(["=?utf-8?q?A=0D=0AX=3A_y?= <a=?utf-8?q?=0A?=@b.c>", "\x00x\x1by"]):
        assert isinstance(one, Mailbox)
        assert (one.name + one.address).isprintable()
