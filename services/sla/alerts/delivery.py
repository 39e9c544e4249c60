"""One HTTP request to an alert receiver, with the address checked before it is used.

Redirects and proxies from the environment are not followed: they would lead to addresses that
nobody looked at. TLS is verified against the receiver's name.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx2
import msgspec

from services.sla.alerts.addresses import AddressRefused, checked, is_public
from services.sla.alerts.sink import NotDelivered, Rejected

__all__ = ["AddressRefused", "Answer", "Poster", "is_public"]

RETRY_AFTER_SECONDS_MAX = 3_600.0
"""A receiver may ask for patience, not for silence: a longer `Retry-After` is cut to an hour."""

ANSWER_BYTES_MAX: Final = 65_536
"""Answers of receivers are a few hundred bytes; what is longer is not read."""

BAD_BODY: Final = frozenset({400, 413, 422})
"""This very body will never be taken, where a vendor says so."""

_GONE = 410
_BAD_REQUEST = 400
_MULTIPLE_CHOICES = 300


class Answer(msgspec.Struct, frozen=True):
    """A 2xx answer: its status, and the beginning of its body."""

    status: int
    body: bytes

    def json(self) -> Any:
        """The body as JSON; None when it is none."""
        try:
            return msgspec.json.decode(self.body)
        except msgspec.DecodeError:
            return None


class Poster:
    """Posts JSON to one receiver.

    Args:
        url: http(s) address of the receiver.
        timeout_seconds: for connecting and for the answer.
        private_addresses_allowed: whether loopback, private and link-local addresses are fine.
        final_statuses: answers after which trying again is useless, besides 410.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout_seconds: float,
        private_addresses_allowed: bool,
        final_statuses: frozenset[int] = frozenset(),
    ) -> None:
        try:
            self._url = httpx2.URL(url)
        except httpx2.InvalidURL:
            raise ValueError("an alert receiver's address is not a URL") from None
        if self._url.scheme not in {"http", "https"} or not self._url.host:
            raise ValueError("an alert receiver's address must be an absolute http(s) URL")
        self._private_addresses_allowed = private_addresses_allowed
        self._final_statuses = final_statuses | {_GONE}
        self._client = httpx2.AsyncClient(
            timeout=timeout_seconds, follow_redirects=False, trust_env=False
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def post(self, body: bytes, headers: Mapping[str, str], *, path: str = "") -> Answer:
        """Post, and return the 2xx answer. `path` is added to the receiver's own, with its query.

        Raises:
            AddressRefused: the address is private and that is not allowed.
            Rejected: 410, or another status that is final there.
            NotDelivered: anything else than 2xx, or no answer.
        """
        port = self._url.port or (443 if self._url.scheme == "https" else 80)
        addresses = await checked(
            self._url.host, port, private_allowed=self._private_addresses_allowed
        )
        for place, address in enumerate(addresses, start=1):
            try:
                return await self._send(self._request(address, body, headers, path))
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                if place == len(addresses):
                    raise _no_answer(error) from error
            except httpx2.HTTPError as error:
                raise _no_answer(error) from error
        raise NotDelivered("the receiver's name has no address")

    def _request(
        self, address: str, body: bytes, headers: Mapping[str, str], path: str
    ) -> httpx2.Request:
        url = self._url
        if path:
            raw = url.raw_path.decode("ascii").rstrip("/") + path
            url = url.copy_with(raw_path=raw.encode("ascii"))
        return self._client.build_request(
            "POST",
            url.copy_with(host=address),
            content=body,
            headers={
                "content-type": "application/json",
                **headers,
                "host": self._url.netloc.decode("ascii"),
            },
            extensions={"sni_hostname": self._url.host},
        )

    async def _send(self, request: httpx2.Request) -> Answer:
        response = await self._client.send(request, stream=True)
        try:
            body = b""
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) >= ANSWER_BYTES_MAX:
                    break
        finally:
            await response.aclose()
        return self._judge(response, body[:ANSWER_BYTES_MAX])

    def _judge(self, response: httpx2.Response, body: bytes) -> Answer:
        status = response.status_code
        if response.is_success:
            return Answer(status, body)
        failure = Rejected if status in self._final_statuses else NotDelivered
        what = (
            "a redirect, which is not followed"
            if _MULTIPLE_CHOICES <= status < _BAD_REQUEST
            else "no"
        )
        raise failure(
            f"the receiver answered {status}: {what}",
            http_status=status,
            retry_after_seconds=retry_after(response.headers.get("retry-after")),
        )


def retry_after(value: str | None) -> float | None:
    """Seconds from a `Retry-After` header (a number, or a date), at most an hour; None: not said."""
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


def _no_answer(error: httpx2.HTTPError) -> NotDelivered:
    # The type only: the message may hold the address.
    return NotDelivered(f"no answer ({type(error).__name__})")
