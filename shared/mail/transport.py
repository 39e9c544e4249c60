"""The way out of the house: an SMTP server, or a folder that catches mails where none shall leave."""

import asyncio
import contextlib
import os
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Final, Literal, Protocol

import aiosmtplib
import msgspec

Security = Literal["starttls", "tls", "none"]

REASON_CHARS_MAX: Final = 300
PASSWORD_BYTES_MAX: Final = 4_096

_PORTS: Final = {"starttls": 587, "tls": 465, "none": 25}
_PERMANENT: Final = range(500, 600)
_OURS_TO_MEND: Final = frozenset({502, 503, 504, 530, 534, 535, 538})
"""The server wants us to log in, or to speak otherwise: the mail is fine, somebody mends the settings."""

_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f]+")


class Parcel(msgspec.Struct, frozen=True, kw_only=True):
    """A mail ready to be handed over.

    Attributes:
        sender: of the envelope: where bounces go.
        recipients: of the envelope; those who have it already are left out.
        raw: header and body; 7-bit, lines ended by CR LF.
    """

    sender: str
    recipients: tuple[str, ...]
    raw: bytes


class Failure(msgspec.Struct, frozen=True):
    """Somebody who did not get it. `code`: of the server's answer; None: there was none."""

    address: str
    code: int | None
    reason: str


class Handed(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one attempt, recipient by recipient.

    Attributes:
        reached: the server has taken it for these.
        refused: it never will.
        later: it may another time.
    """

    reached: tuple[str, ...] = ()
    refused: tuple[Failure, ...] = ()
    later: tuple[Failure, ...] = ()


class ServerIsAway(Exception):
    """No mail can be handed over now, whichever: no connection, no TLS, no login. The message has no secret in it."""


class Connection(Protocol):
    """An open way; mails go one after the other."""

    async def hand_over(self, name: str, parcel: Parcel) -> Handed:
        """Hand the mail over.

        Args:
            name: of the mail, the same each time.
            parcel: the mail.

        Raises:
            ServerIsAway: the connection broke before the mail itself was sent.
        """
        ...


class Transport(Protocol):
    """Where mails leave."""

    def connect(self) -> AbstractAsyncContextManager[Connection]:
        """Raises ServerIsAway."""
        ...


class SmtpServer(msgspec.Struct, frozen=True, kw_only=True):
    """The server that takes our mails.

    Attributes:
        security: `starttls` and `tls` refuse a server that cannot prove its name; `none` is for one on this machine.
        ca_file: who may have signed its certificate; None: the system's authorities.
        user, password_file: the login; None: without one.
        timeout_seconds: for each answer of the server.
    """

    host: str
    port: int | None = None
    security: Security = "starttls"
    ca_file: Path | None = None
    user: str | None = None
    password_file: Path | None = None
    timeout_seconds: float = 30.0

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Connection]:
        """See `Transport`."""
        client = await self._open()
        try:
            yield _Smtp(client)
        finally:
            with contextlib.suppress(
                aiosmtplib.SMTPException, OSError
            ):  # what it has taken, it has taken
                await client.quit()
            client.close()

    async def _open(self) -> aiosmtplib.SMTP:
        try:
            client = aiosmtplib.SMTP(
                hostname=self.host,
                port=self.port or _PORTS[self.security],
                use_tls=self.security == "tls",
                start_tls=self.security == "starttls",
                tls_context=None
                if self.security == "none"
                else ssl.create_default_context(cafile=self.ca_file),
                timeout=self.timeout_seconds,
            )
            await client.connect()
            if self.user is not None:
                await client.login(self.user, await asyncio.to_thread(self._password))
        except aiosmtplib.SMTPResponseException as error:
            raise ServerIsAway(f"the mail server answered {error.code} before any mail") from None
        except (aiosmtplib.SMTPException, ssl.SSLError, OSError, ValueError) as error:
            # Names only: what these errors say may hold addresses, names and parts of a login.
            raise ServerIsAway(f"no way to the mail server ({type(error).__name__})") from None
        return client

    def _password(self) -> str:
        """Read for each connection: a new one counts from the next mail on."""
        if self.password_file is None:
            return ""
        with self.password_file.open("rb") as file:
            return file.read(PASSWORD_BYTES_MAX).decode().strip()


class _Smtp:
    def __init__(self, client: aiosmtplib.SMTP) -> None:
        self._client = client

    async def hand_over(self, name: str, parcel: Parcel) -> Handed:
        del name
        client = self._client
        accepted: list[str] = []
        refused: list[Failure] = []
        later: list[Failure] = []
        try:
            await client.rset()
            await client.mail(parcel.sender, options=self._options(parcel))
        except aiosmtplib.SMTPResponseException as error:
            if error.code in _OURS_TO_MEND:
                raise ServerIsAway(f"the mail server answered {error.code} to our sender") from None
            return _all(parcel.recipients, error)
        except (aiosmtplib.SMTPException, OSError) as error:
            raise ServerIsAway(f"the connection broke ({type(error).__name__})") from None
        for address in parcel.recipients:
            try:
                await client.rcpt(address)
            except aiosmtplib.SMTPResponseException as error:
                (refused if error.code in _PERMANENT else later).append(_failure(address, error))
            except (aiosmtplib.SMTPException, OSError) as error:
                raise ServerIsAway(f"the connection broke ({type(error).__name__})") from None
            else:
                accepted.append(address)
        if not accepted:
            return Handed(refused=tuple(refused), later=tuple(later))
        handed = await self._data(parcel.raw, accepted)
        return Handed(
            reached=handed.reached,
            refused=(*refused, *handed.refused),
            later=(*later, *handed.later),
        )

    async def _data(self, raw: bytes, accepted: list[str]) -> Handed:
        try:
            await self._client.data(raw)
        except aiosmtplib.SMTPResponseException as error:
            return _all(accepted, error)
        except (aiosmtplib.SMTPException, OSError) as error:
            # Taken or not, nobody knows: it goes again, under the same id.
            said = f"no answer to the mail itself ({type(error).__name__})"
            return Handed(later=tuple(Failure(one, None, said) for one in accepted))
        return Handed(reached=tuple(accepted))

    def _options(self, parcel: Parcel) -> list[str]:
        return [f"SIZE={len(parcel.raw)}"] if self._client.supports_extension("size") else []


class CatchFolder(msgspec.Struct, frozen=True):
    """A folder: each mail is a file named after it, so that the same mail again is the same file."""

    folder: Path

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Connection]:
        """See `Transport`."""
        yield _Folder(self.folder)


class _Folder:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def hand_over(self, name: str, parcel: Parcel) -> Handed:
        try:
            await asyncio.to_thread(self._write, name, parcel.raw)
        except OSError as error:
            raise ServerIsAway(f"the folder takes no mail ({type(error).__name__})") from None
        return Handed(reached=parcel.recipients)

    def _write(self, name: str, raw: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        beside = self._folder / f".{name}.{os.getpid()}"
        with beside.open("wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._folder / f"{name}.eml")


def _all(addresses: tuple[str, ...] | list[str], error: aiosmtplib.SMTPResponseException) -> Handed:
    failures = tuple(_failure(one, error) for one in addresses)
    return Handed(refused=failures) if error.code in _PERMANENT else Handed(later=failures)


def _failure(address: str, error: aiosmtplib.SMTPResponseException) -> Failure:
    said = " ".join(_CONTROLS.sub(" ", str(error.message)).split())
    return Failure(address, error.code, f"{error.code} {said}"[:REASON_CHARS_MAX].strip())
