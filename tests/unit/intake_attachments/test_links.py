"""Signed links: for one file, for a while, and worthless when changed."""

from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest

from services.intake.attachments.links import LinkIsNotValid, check_link, signed_path

KEY, TICKET, FILE = b"k" * 32, uuid4(), uuid4()


def asked(path: str) -> dict:
    query = parse_qs(urlsplit(path).query)
    return {"expires": int(query["expires"][0]), "signed": query["signature"][0]}


def test_a_link_opens_its_file_until_its_time_is_over():
    link = asked(signed_path(KEY, TICKET, FILE, expires=1_000))
    check_link(KEY, TICKET, FILE, **link, now=1_000)
    with pytest.raises(LinkIsNotValid):
        check_link(KEY, TICKET, FILE, **link, now=1_001)


@pytest.mark.parametrize(
    "change",
    [
        {"expires": 2_000},
        {"signed": "00" * 16},
        {"signed": ""},
        {"signed": "zz"},
        {"attachment_id": uuid4()},
        {"ticket_id": uuid4()},
        {"key": b"o" * 32},
    ],
)
def test_a_changed_link_opens_nothing(change: dict):
    link = {"key": KEY, "ticket_id": TICKET, "attachment_id": FILE, "now": 0.0}
    link |= asked(signed_path(KEY, TICKET, FILE, expires=1_000))
    with pytest.raises(LinkIsNotValid):
        check_link(**(link | change))


def test_a_signature_cut_short_is_none():
    link = asked(signed_path(KEY, TICKET, FILE, expires=1_000))
    with pytest.raises(LinkIsNotValid):
        check_link(KEY, TICKET, FILE, expires=1_000, signed=link["signed"][:2], now=0)
