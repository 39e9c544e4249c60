"""The issuer's public keys (JWKS), from a file or from its address."""

import asyncio
import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import httpx2
import jwt
import structlog
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from shared.errors import NotYet
from shared.observability import metrics

log = structlog.get_logger(__name__)

ALGORITHMS: Final = ("EdDSA", "RS256", "ES256")
"""Signatures by key pairs only: with a shared secret every service could make tokens."""

KEYS_MAX: Final = 64  # a key set holds a handful; more is not a key set
RSA_BITS_MIN: Final = 2048  # RFC 7518 §3.3
SET_BYTES_MAX: Final = 256 * 1024
FETCH_SECONDS_MAX: Final = 3.0
AGE_SECONDS_MAX: Final = 600.0
"""A key withdrawn by the issuer is honoured no longer than this."""
PAUSE_SECONDS: Final = 5.0
"""Between two readings, whoever asks: tokens with made-up key ids must not become load on the issuer."""


class KeySource(ABC):
    """Keys by their id, read again when they are old or an unknown id turns up."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._keys: dict[str, jwt.PyJWK] = {}
        self._read_at: float | None = None
        self._tried_at: float | None = None
        self._lock = asyncio.Lock()

    async def find(self, kid: str | None) -> jwt.PyJWK | None:
        """The key of this id; without an id, the only key there is.

        Raises:
            NotYet: the issuer's keys could not be read even once.
        """
        if self._is_old() or self._among_known(kid) is None:
            await self._read_again()
        if self._read_at is None:
            raise NotYet(
                "The issuer's keys cannot be read; no token can be checked.", retry_after_seconds=5
            )
        return self._among_known(kid)

    @abstractmethod
    async def read(self) -> bytes:
        """The key set's JSON.

        Raises:
            OSError: it cannot be read now.
            httpx2.HTTPError: it cannot be fetched now.
        """

    def _among_known(self, kid: str | None) -> jwt.PyJWK | None:
        if kid is not None:
            return self._keys.get(kid)
        return next(iter(self._keys.values())) if len(self._keys) == 1 else None

    def _is_old(self) -> bool:
        return self._read_at is None or self._monotonic() - self._read_at > AGE_SECONDS_MAX

    async def _read_again(self) -> None:
        async with self._lock:
            now = self._monotonic()
            if self._tried_at is not None and now - self._tried_at < PAUSE_SECONDS:
                return
            self._tried_at = now
            try:
                self._keys = usable_keys(await self.read())
            except (OSError, httpx2.HTTPError, ValueError) as error:
                # The keys known so far stay in force: an issuer's outage must not lock everybody out.
                metrics.SECURITY_KEY_REFRESHES.labels("failed").inc()
                log.warning("issuer_keys_unreadable", error=type(error).__name__, reason=str(error))
            else:
                self._read_at = now
                metrics.SECURITY_KEY_REFRESHES.labels("read").inc()


class FileKeys(KeySource):
    """A key set on disk."""

    def __init__(self, path: Path, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__(monotonic=monotonic)
        self.path = path

    async def read(self) -> bytes:
        """The file's bytes."""
        return await asyncio.to_thread(self.path.read_bytes)


class UrlKeys(KeySource):
    """The key set of an OpenID Connect issuer (`jwks_uri`)."""

    def __init__(
        self,
        url: str,
        *,
        transport: httpx2.AsyncBaseTransport | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(monotonic=monotonic)
        self.url = url
        self._transport = transport

    async def read(self) -> bytes:
        """The address's answer, bounded in time and size."""
        async with (
            httpx2.AsyncClient(timeout=FETCH_SECONDS_MAX, transport=self._transport) as client,
            client.stream("GET", self.url) as answer,
        ):
            answer.raise_for_status()
            found = bytearray()
            async for chunk in answer.aiter_bytes():
                found += chunk
                if len(found) > SET_BYTES_MAX:
                    raise ValueError(f"the key set has more than {SET_BYTES_MAX} bytes")
            return bytes(found)


class NoKeys(KeySource):
    """Nothing is configured: every token is refused."""

    async def read(self) -> bytes:
        """An empty set."""
        return b'{"keys":[]}'


def key_source(*, file: Path | None, url: str | None) -> KeySource:
    """The source that the settings name; the file goes first."""
    if file is not None:
        return FileKeys(file)
    return NoKeys() if url is None else UrlKeys(url)


def usable_keys(key_set: bytes) -> dict[str, jwt.PyJWK]:
    """The keys of a JWKS that may sign tokens for us, by id; others are passed over (RFC 7517 §5).

    Raises:
        ValueError: it is not a JWKS.
    """
    document = json.loads(key_set)
    entries = document.get("keys") if isinstance(document, Mapping) else None
    if not isinstance(entries, list) or len(entries) > KEYS_MAX:
        raise ValueError(f'expected {{"keys": [...]}} with at most {KEYS_MAX} keys')
    usable: dict[str, jwt.PyJWK] = {}
    for entry in entries:
        key = _usable(entry)
        if key is not None:
            usable[key.key_id or ""] = key
    return usable


def _usable(entry: Any) -> jwt.PyJWK | None:
    if not isinstance(entry, dict) or entry.get("use", "sig") != "sig":
        return None
    try:
        key = jwt.PyJWK(entry)
    except jwt.PyJWTError:
        return None
    is_weak = isinstance(key.key, RSAPublicKey) and key.key.key_size < RSA_BITS_MIN
    return key if key.algorithm_name in ALGORITHMS and not is_weak else None
