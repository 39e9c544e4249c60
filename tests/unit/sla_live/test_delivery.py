"""Where alerts may go, and what a receiver's answer means."""

import pytest

from services.sla.alerts.delivery import RETRY_AFTER_SECONDS_MAX, Poster, is_public, retry_after


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_an_address_in_the_open_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "0.0.0.0", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::",
    ],
)  # fmt: skip
def test_an_address_near_us_is_not_public_in_any_spelling(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("url", ["", "example.com/hook", "ftp://example.com", "file:///etc/passwd"])
def test_what_is_no_http_address_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(ValueError, match="absolute http"):
        Poster(url, timeout_seconds=1, private_addresses_allowed=True)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("7", 7.0),
        ("-3", 0.0),
        ("999999", RETRY_AFTER_SECONDS_MAX),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("soon", None),
        ("nan", None),
    ],
)
def test_patience_is_granted_within_limits(header: str | None, seconds: float | None) -> None:
    assert retry_after(header) == seconds
