"""One HTTP request to an alert receiver, with the address checked before it is used.

A receiver's address is configuration, but it must not become a door into the network we stand in:
names are resolved here, private addresses are refused unless allowed, and the connection goes to the
very address that was checked (a second resolution could say something else). Redirects and proxies
from the environment are not followed for the same reason.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx2

from services.sla.alerts.sink import NotDelivered, Rejected

RETRY_AFTER_SECONDS_MAX = 3_600.0
"""A receiver may ask for patience, not for silence: a longer `Retry-After` is cut to an hour."""

_GONE = 410
_BAD_REQUEST = 400
_MULTIPLE_CHOICES = 300


class AddressRefused(NotDelivered):
    """The receiver's name leads to an address that alerts may not go to."""


class Poster:
    """Posts JSON to one receiver.

    Args:
        url: http(s) address of the receiver.
        timeout_seconds: for connecting and for the answer.
        private_addresses_allowed: whether loopback, private and link-local addresses are fine.
        rejects_on_bad_request: whether 400 means that this body will never be taken.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout_seconds: float,
        private_addresses_allowed: bool,
        rejects_on_bad_request: bool = False,
    ) -> None:
        self._url = httpx2.URL(url)
        if self._url.scheme not in {"http", "https"} or not self._url.host:
            raise ValueError("an alert receiver's address must be an absolute http(s) URL")
        self._private_addresses_allowed = private_addresses_allowed
        self._rejects_on_bad_request = rejects_on_bad_request
        self._client = httpx2.AsyncClient(
            timeout=timeout_seconds, follow_redirects=False, trust_env=False
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def post(self, body: bytes, headers: Mapping[str, str]) -> int:
        """Post and return the 2xx status.

        Raises:
            AddressRefused: the address is private and that is not allowed.
            Rejected: 410, or 400 where that is final.
            NotDelivered: anything else than 2xx, or no answer.
        """
        request = await self._request(body, headers)
        try:
            response = await self._client.send(request)
        except httpx2.HTTPError as error:
            # The type only: the message may hold the address.
            raise NotDelivered(f"no answer ({type(error).__name__})") from error
        return self._judge(response)

    async def _request(self, body: bytes, headers: Mapping[str, str]) -> httpx2.Request:
        host = self._url.host
        port = self._url.port or (443 if self._url.scheme == "https" else 80)
        address = await _resolve(host, port)
        if not self._private_addresses_allowed and not is_public(address):
            raise AddressRefused(
                "the receiver's address is private; TICKETING_ALERT_PRIVATE_ADDRESSES_ALLOWED permits it"
            )
        return self._client.build_request(
            "POST",
            self._url.copy_with(host=address),
            content=body,
            headers={
                "content-type": "application/json",
                **headers,
                "host": self._url.netloc.decode("ascii"),
            },
            extensions={"sni_hostname": host},
        )

    def _judge(self, response: httpx2.Response) -> int:
        status = response.status_code
        if response.is_success:
            return status
        final = status == _GONE or (status == _BAD_REQUEST and self._rejects_on_bad_request)
        failure = Rejected if final else NotDelivered
        what = (
            "a redirect, which is not followed"
            if _MULTIPLE_CHOICES <= status < _BAD_REQUEST
            else "no"
        )
        raise failure(
            f"the receiver answered {status}: {what}",
            http_status=status,
            retry_after_seconds=_retry_after(response.headers.get("retry-after")),
        )


def is_public(address: str) -> bool:
    """Whether an IP address belongs to one receiver in the open internet."""
    found = ipaddress.ip_address(address)
    if isinstance(found, ipaddress.IPv6Address):
        if found in _NAT64:
            found = ipaddress.IPv4Address(found.packed[-4:])
        else:
            found = found.ipv4_mapped or found.sixtofour or found
    return found.is_global and not found.is_multicast


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


async def _resolve(host: str, port: int) -> str:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise NotDelivered("the receiver's name cannot be resolved") from error
    return str(found[0][4][0])


def _retry_after(value: str | None) -> float | None:
    if value is None:
        return None
    try:
        seconds = (
            float(int(value))
            if value.strip().lstrip("-").isdecimal()
            else (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
        )
    except (ValueError, TypeError, OverflowError):  # neither seconds nor a date: as if not said
        return None
    return min(max(seconds, 0.0), RETRY_AFTER_SECONDS_MAX)
