"""Where the front door is and with which token: from the options, else from this installation's own folder."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import httpx2

from deploy.imports.door import PATIENCE_SECONDS, READ_SECONDS, FrontDoor
from deploy.local import ports
from deploy.local.folder import default_home
from deploy.local.problems import CannotStart
from shared.security.issuer import LocalIssuer
from shared.security.principal import Role

_CONNECT_SECONDS: Final = 5.0
_CONNECTIONS_MAX: Final = 8
_TTL_SECONDS: Final = 24 * 3600
"""An import may wait out a night's maintenance."""


def address(url: str | None) -> str:
    """The front door's address.

    Raises:
        CannotStart: none is given and nothing was ever started here.
    """
    if url is not None:
        parsed = httpx2.URL(url)
        if parsed.scheme not in {"http", "https"} or not parsed.host:
            raise CannotStart(f"--url {url!r} is no address such as http://127.0.0.1:8080")
        return url.rstrip("/")
    state = default_home() / "state.json"
    try:
        port = json.loads(state.read_text())["ports"]["front-door"]
    except FileNotFoundError:
        raise CannotStart(
            f"nothing was started in {state.parent} yet; run `make run` first, set TICKETING_HOME, or give --url"
        ) from None
    except (ValueError, KeyError, TypeError):
        raise CannotStart(f"{state} is damaged; give --url") from None
    return f"http://{ports.LOOPBACK}:{port}"


def bearer(token: str | None, *, subject: str, role: Role) -> str:
    """The given token, else one made by this installation's own issuer.

    Raises:
        CannotStart: none is given and there is no issuer here.
    """
    if token is not None:
        return token
    folder = default_home() / "keys"
    if not (folder / "signing.pem").exists():
        raise CannotStart(f"no issuer in {folder}; give a token with TICKETING_TOKEN")
    try:
        return LocalIssuer(folder).issue(subject, role, ttl_seconds=_TTL_SECONDS)
    except (OSError, ValueError) as error:
        raise CannotStart(f"the issuer's key cannot be used: {error}") from None


@asynccontextmanager
async def open_door(
    url: str, token: str, *, patience_seconds: float = PATIENCE_SECONDS
) -> AsyncIterator[FrontDoor]:
    """The front door with connections that are closed at the end."""
    async with httpx2.AsyncClient(
        base_url=url,
        # Answers come unpacked: on one machine packing costs both sides more than the bytes.
        headers={"authorization": f"Bearer {token}", "accept-encoding": "identity"},
        timeout=httpx2.Timeout(READ_SECONDS, connect=_CONNECT_SECONDS),
        limits=httpx2.Limits(max_connections=_CONNECTIONS_MAX),
        trust_env=False,  # a proxy of the machine is not on the way to its own services
    ) as http:
        yield FrontDoor(http, patience_seconds=patience_seconds)


def imports_folder() -> Path:
    """Where an import keeps its journal and its lists."""
    return default_home() / "imports"
