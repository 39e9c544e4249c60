"""Mail in by IMAP: looks into a mailbox, stores what is new, then marks it or moves it, and keeps the place.

The order makes it safe: commit, mark, place. Whatever dies in between, the mail is read again and its claim answers.
"""

import asyncio
import contextlib
import imaplib
import os
import re
import ssl
import threading
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import psycopg
import structlog
from imap_tools import (
    BaseMailBox,
    ImapToolsError,
    MailBox,
    MailBoxStartTls,
    MailBoxUnencrypted,
    MailMessageFlags,
)

from services.intake.channels.mail.mailboxes import ImapAccount, OwnMailbox
from services.intake.channels.mail.receiving import Arrival, MailIn
from services.intake.domain import Ticket
from shared.errors import NotYet
from shared.eventstore import EventStore
from shared.observability.correlation import new_correlation_id

log = structlog.get_logger(__name__)

ATTEMPTS_MAX: Final = 3
"""A mail that fails by itself this often is written down as refused, so that those behind it come through."""

_PAUSE_SECONDS_FIRST: Final = 1.0
_PAUSE_SECONDS_MAX: Final = 60.0
_SERVER_SECONDS_MAX: Final = 60.0
_SIZE: Final = re.compile(rb"RFC822\.SIZE (\d+)")
_UNREACHABLE: Final = (
    OSError,
    ImapToolsError,
    imaplib.IMAP4.error,
    ssl.SSLError,
    psycopg.OperationalError,
    psycopg.InterfaceError,
    NotYet,
)


class Place(msgspec.Struct, frozen=True):
    """Up to where a mailbox was read."""

    uid_validity: int
    last_uid: int


class ImapPoll:
    """Looks into one mailbox until cancelled; of several processes one does, by a lock in the database.

    Args:
        mail: where mails go.
        store: keeps the place.
        box: has an account.
        bytes_max: larger mails are refused without being fetched.
    """

    def __init__(
        self, mail: MailIn, store: EventStore[Ticket], box: OwnMailbox, *, bytes_max: int
    ) -> None:
        assert box.imap is not None, "only mailboxes with an account are polled"
        self._mail, self._store, self._box, self._account = mail, store, box, box.imap
        self._bytes_max = bytes_max
        self._failures: dict[int, int] = {}
        self.__name__ = f"imap-{box.name}"

    async def __call__(self) -> None:
        """Poll for ever; servers that are away are tried again with growing pauses."""
        pause = _PAUSE_SECONDS_FIRST
        while True:
            try:
                async with self._alone() as is_mine:
                    while is_mine:
                        await self.poll()
                        pause = _PAUSE_SECONDS_FIRST
                        await asyncio.sleep(self._account.poll_seconds)
                await asyncio.sleep(self._account.poll_seconds)  # another process does it
            except _UNREACHABLE as error:
                log.warning(
                    "imap_waits",
                    mailbox=self._box.name,
                    error=type(error).__name__,
                    reason=str(error)[:200],
                    pause_seconds=pause,
                )
                await asyncio.sleep(pause)
                pause = min(pause * 2, _PAUSE_SECONDS_MAX)

    async def poll(self) -> int:
        """One look: everything that is new, in order. Returns how many mails were taken.

        Raises:
            OSError, ImapToolsError, imaplib.IMAP4.error: the server is away or says no.
            psycopg.OperationalError, NotYet: one of ours is; what was not stored stays where it is.
        """
        place = await self._place()
        session = _Session(self._account)
        taken = 0
        try:
            await asyncio.to_thread(session.open)
            found = await asyncio.to_thread(session.look, place)
            last = place.last_uid if place and place.uid_validity == found.uid_validity else 0
            for uid in found.uids:
                await self._take(session, uid)
                taken += 1
                last = max(last, uid)
                if not found.is_selection:
                    await self._keep_place(Place(found.uid_validity, last))
            # Of a selection (the unread ones of a first look) the place is kept when all of it is in.
            await self._keep_place(Place(found.uid_validity, max(last, found.last_uid)))
        finally:
            await asyncio.to_thread(session.close)
        return taken

    async def _take(self, session: "_Session", uid: int) -> None:
        letter = await asyncio.to_thread(session.fetch, uid, self._bytes_max)
        if letter is None:  # somebody else removed it meanwhile
            return
        arrival = Arrival(
            correlation_id=new_correlation_id(), mailbox=self._box, arrived_at=letter.arrived_at
        )
        try:
            if letter.raw is None:
                await self._mail.refuse_unread(
                    arrival, kind="too_large", reason=f"it has {letter.size} bytes", uid=uid
                )
            else:
                await self._mail.receive(letter.raw, arrival)
        except _UNREACHABLE:
            raise
        except Exception as error:
            failures = self._failures[uid] = self._failures.get(uid, 0) + 1
            log.exception("mail_failed", mailbox=self._box.name, uid=uid, failures=failures)
            if failures < ATTEMPTS_MAX:
                raise NotYet("a mail could not be stored") from error
            await self._mail.refuse_unread(
                arrival, kind="unreadable", reason=type(error).__name__, uid=uid, raw=letter.raw
            )
        self._failures.pop(uid, None)
        await asyncio.to_thread(session.done, uid)

    async def _place(self) -> Place | None:
        pool = await self._store.pool()
        async with pool.connection() as connection:
            found = await connection.execute(
                "SELECT uid_validity, last_uid FROM imap_positions"
                " WHERE mailbox = %s AND folder = %s",
                (self._box.name, self._account.folder),
            )
            row = await found.fetchone()
        return None if row is None else Place(row["uid_validity"], row["last_uid"])

    async def _keep_place(self, place: Place) -> None:
        pool = await self._store.pool()
        async with pool.connection() as connection:
            await connection.execute(
                "INSERT INTO imap_positions (mailbox, folder, uid_validity, last_uid)"
                " VALUES (%s, %s, %s, %s) ON CONFLICT (mailbox) DO UPDATE SET"
                " folder = excluded.folder, uid_validity = excluded.uid_validity,"
                " last_uid = excluded.last_uid",
                (self._box.name, self._account.folder, place.uid_validity, place.last_uid),
            )

    @contextlib.asynccontextmanager
    async def _alone(self) -> AsyncIterator[bool]:
        """Whether this process has the mailbox; the lock goes with the connection."""
        connection = await self._store.connect()
        try:
            found = await connection.execute(
                "SELECT pg_try_advisory_lock(hashtext(%s)) AS is_mine", (f"imap:{self._box.name}",)
            )
            row = await found.fetchone()
            yield bool(row and row["is_mine"])
        finally:
            await connection.close()


class _Found(msgspec.Struct, frozen=True):
    uid_validity: int
    last_uid: int
    uids: Sequence[int]
    is_selection: bool


class _Fetched(msgspec.Struct, frozen=True):
    """`raw` is None when the mail is too large."""

    size: int
    arrived_at: datetime | None
    raw: bytes | None


class _Session:
    """One conversation with the server. Every method blocks."""

    def __init__(self, account: ImapAccount) -> None:
        self._account = account
        self._box: BaseMailBox | None = None
        self._opening = threading.Lock()

    @property
    def box(self) -> BaseMailBox:
        assert self._box is not None, "open() comes first"
        return self._box

    def open(self) -> None:
        with self._opening:
            self._open()

    def _open(self) -> None:
        account = self._account
        where: dict[str, Any] = {
            "host": account.host,
            "port": account.port,
            "timeout": _SERVER_SECONDS_MAX,
        }
        match account.security:
            case "tls":
                self._box = MailBox(**where)
            case "starttls":
                self._box = MailBoxStartTls(**where)
            case "none":
                self._box = MailBoxUnencrypted(**where)
        self._box.login(account.user, _password(account), initial_folder=None)
        if account.done != "seen" and not self._box.folder.exists(account.done):
            self._box.folder.create(account.done)
        self._box.folder.set(account.folder)

    def look(self, place: Place | None) -> _Found:
        status = self.box.folder.status(self._account.folder, ["UIDVALIDITY", "UIDNEXT"])
        validity, last = status["UIDVALIDITY"], status["UIDNEXT"] - 1
        if place is not None and place.uid_validity == validity:
            # `n:*` always names at least the newest mail, also when it is older than n.
            wanted, first = f"UID {place.last_uid + 1}:*", place.last_uid + 1
        else:
            is_first_look = place is None
            wanted = "UNSEEN" if is_first_look and self._account.start == "unseen" else "ALL"
            first = 1
        uids = sorted(int(one) for one in self.box.uids(wanted) if int(one) >= first)
        return _Found(validity, max([last, *uids]), uids, is_selection=wanted == "UNSEEN")

    def fetch(self, uid: int, bytes_max: int) -> _Fetched | None:
        kind, said = self.box.client.uid("FETCH", str(uid), "(RFC822.SIZE INTERNALDATE)")
        line = said[0] if kind == "OK" and said else None
        if isinstance(line, tuple):
            line = line[0]
        found = _SIZE.search(line) if line else None
        if line is None or found is None:
            return None
        size, arrived_at = int(found[1]), _moment(line)
        if size > bytes_max:
            return _Fetched(size, arrived_at, None)
        _, said = self.box.client.uid("FETCH", str(uid), "(BODY.PEEK[])")
        raw = next((part[1] for part in said if isinstance(part, tuple)), None)
        return None if raw is None else _Fetched(size, arrived_at, raw)

    def done(self, uid: int) -> None:
        if self._account.done == "seen":
            self.box.flag([str(uid)], [MailMessageFlags.SEEN], True)
        else:
            self.box.move([str(uid)], self._account.done)

    def close(self) -> None:
        # A poll that is cancelled leaves `open` at work in its thread: what that opens must be closed as well.
        with self._opening:
            if self._box is None:
                return
            try:
                self._box.logout()
            except _UNREACHABLE:  # the server is gone; without a goodbye the socket would stay open
                with contextlib.suppress(OSError):
                    self._box.client.shutdown()


def _moment(line: bytes) -> datetime | None:
    """When the server received it, if that lies in the past."""
    found = imaplib.Internaldate2tuple(line)
    if found is None:
        return None
    moment = datetime(*found[:6]).astimezone(UTC)  # the library gives local time
    return moment if moment <= datetime.now(UTC) else None


def _password(account: ImapAccount) -> str:
    if account.password_file is not None:
        return Path(account.password_file).read_text(encoding="utf-8").strip()
    if account.password_env is not None and account.password_env in os.environ:
        return os.environ[account.password_env]
    raise OSError(f"no password for {account.user}: set password_file or password_env")
