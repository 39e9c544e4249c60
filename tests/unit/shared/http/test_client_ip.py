"""Whose address a request has: as far back as every proxy on the way is trusted, and no further."""

import pytest
from pydantic import SecretStr, ValidationError

from shared.http.client_ip import TrustedProxies
from shared.settings import ServiceSettings

PROXIES = TrustedProxies(["127.0.0.0/8", "10.0.0.0/8", "fd00::/8"])


def address(peer: str | None, *forwarded: str) -> str | None:
    headers = [(b"x-forwarded-for", value.encode("latin-1")) for value in forwarded]
    return PROXIES.address({"client": (peer, 1) if peer else None, "headers": headers})


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("203.0.113.9", [], "203.0.113.9"),
        ("203.0.113.9", ["198.51.100.7"], "203.0.113.9"),  # anybody may claim anything
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", ["198.51.100.7"], "198.51.100.7"),
        ("127.0.0.1", ["1.1.1.1, 198.51.100.7"], "198.51.100.7"),
        ("127.0.0.1", ["198.51.100.7, 10.0.0.3"], "198.51.100.7"),
        ("127.0.0.1", ["198.51.100.7", "10.0.0.3"], "198.51.100.7"),
        ("127.0.0.1", ["10.0.0.4, 10.0.0.3"], "10.0.0.4"),
        ("127.0.0.1", ["198.51.100.7, nonsense"], "127.0.0.1"),
        ("::ffff:10.0.0.1", ["2001:db8::1"], "2001:db8::1"),
        ("fd00::2", ["[2001:db8::1]:4711"], "2001:db8::1"),
        ("10.0.0.1", ["198.51.100.7:4711"], "198.51.100.7"),
        ("10.0.0.1", ["<script>"], "10.0.0.1"),
        ("10.0.0.1", ["1.1.1.1," * 500 + "2.2.2.2"], "10.0.0.1"),
        ("testclient", ["198.51.100.7"], None),
        (None, ["198.51.100.7"], None),
    ],
)
def test_the_address_is_the_last_one_nobody_untrusted_could_write(peer, forwarded, expected):
    assert address(peer, *forwarded) == expected


def test_a_network_that_is_none_is_refused_by_name():
    with pytest.raises(ValidationError) as refused:
        ServiceSettings(
            database_url=SecretStr("postgresql://x"),
            kafka_bootstrap_servers="x",
            trusted_proxies="localhost",
        )
    assert refused.value.errors()[0]["loc"] == ("trusted_proxies",)
