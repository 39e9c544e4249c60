"""The caller's network address, through proxies that are trusted and past what anybody else claims."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final

from starlette.types import Scope

_HEADER_BYTES_MAX: Final = 1_024
"""Some twenty addresses; no honest chain of proxies is longer."""

_REMEMBERED: Final = 4_096
"""Pairs of peer and header whose address is known; parsing costs more than the rest of a request's stamp."""


class TrustedProxies:
    """Networks whose `X-Forwarded-For` is believed.

    Args:
        networks: in CIDR notation, such as `127.0.0.0/8`.

    Raises:
        ValueError: one of them is no network.
    """

    def __init__(self, networks: Sequence[str]) -> None:
        self._networks = [_mapped(network) for network in networks]
        self._find = lru_cache(_REMEMBERED)(self._walk)

    def address(self, scope: Scope) -> str | None:
        """The address of who sent the request; None when the connection has none (a Unix socket)."""
        client: tuple[str, int] | None = scope.get("client")
        if client is None:
            return None
        forwarded: Any = b""
        for name, value in scope["headers"]:
            if name == b"x-forwarded-for":
                forwarded = forwarded + b"," + value if forwarded else value
        return self._find(client[0], forwarded)

    def _walk(self, peer: str, forwarded: bytes) -> str | None:
        """From the peer backwards while each is trusted: whoever is not may have written what stands before."""
        found = _parsed(peer)
        if found is None:
            return None
        claims = (
            forwarded.decode("latin-1").split(",") if len(forwarded) <= _HEADER_BYTES_MAX else []
        )
        while claims and self._is_trusted(found):
            claimed = _parsed(claims.pop())
            if claimed is None:
                break
            found = claimed
        return str(found)

    def _is_trusted(self, address: IPv4Address | IPv6Address) -> bool:
        wide = address if isinstance(address, IPv6Address) else IPv6Address(f"::ffff:{address}")
        return any(wide in network for network in self._networks)


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    """An address as proxies write it: with or without port and brackets."""
    bare = text.strip()
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        address = ip_address(bare.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _mapped(text: str) -> IPv6Network:
    network = ip_network(text.strip())
    if isinstance(network, IPv6Network):
        return network
    return IPv6Network(f"::ffff:{network.network_address}/{96 + network.prefixlen}")
