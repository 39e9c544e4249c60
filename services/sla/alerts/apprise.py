"""Any other service that the library `apprise` speaks to: more than a hundred, by one URL each.

The library opens its own connections, so it runs in a process of its own (`apprise_process`) that
has nothing of ours in its environment and can reach only what alerts may go to.
"""

import asyncio
import os
import re
import sys
from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from urllib.parse import quote
from uuid import UUID

import msgspec

from services.sla.alerts import wording
from services.sla.alerts.kind import Parts, SinkDocument
from services.sla.alerts.notice import Action, AlertNotice, Notice, SummaryEndNotice, SummaryNotice
from services.sla.alerts.sink import NotDelivered, Rejected, Sent

BODY_LENGTH_MAX: Final = 4_000
START_SECONDS_MAX: Final = 15.0
"""The library takes a second or two to load; a busy machine, longer."""

_TYPES: Final = {
    "critical": "failure",
    "error": "failure",
    "warning": "warning",
    "info": "info",
}
_PLACE: Final = re.compile(r"\{(?P<way>phone|email|slack)\}")
_KEPT: Final = ("PATH", "PYTHONPATH", "LANG", "SSL_CERT_FILE", "SSL_CERT_DIR")


class Apprise(SinkDocument, frozen=True, kw_only=True, tag="apprise"):
    """`url`: reference to the library's URL for the service, which holds its secrets.

    With `to_called` the URL has `{phone}`, `{email}` or `{slack}` in it, and each one who is called is reached by a
    URL of their own.
    """

    url: str

    @property
    def may_reach_persons(self) -> bool:
        """By the URL's placeholder."""
        return True

    def build(self, name: str, parts: Parts) -> "AppriseSink":
        """The sink.

        Raises:
            ValueError: the URL is missing, or has no place for a person's address.
        """
        url = parts.secrets.read(self.url)
        ways = {found["way"] for found in _PLACE.finditer(url)}
        if self.to_called and len(ways) != 1:
            raise ValueError("to_called needs one of {phone}, {email} and {slack} in the URL")
        return AppriseSink(name, url, parts, way=ways.pop() if self.to_called else None)


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What the other process is to do, one line of JSON on its standard input."""

    url: str
    title: str
    body: str
    type: str
    private_addresses_allowed: bool


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of it, one line of JSON on its standard output."""

    is_sent: bool
    reason: str = ""


class AppriseSink:
    """Sends one notice a process. The services behind it have no memory that we could speak to."""

    actions = frozenset(Action)
    batch_max = 1
    is_capped = True
    is_stateful = False
    refresh_every: timedelta | None = None

    def __init__(self, name: str, url: str, parts: Parts, *, way: str | None = None) -> None:
        self.name = name
        self._url = url
        self._parts = parts
        self._way = way
        self._reached: dict[UUID, set[str]] = {}
        """Of a notice that some were told and others not yet: those are not told again."""

    async def send(self, notices: Sequence[Notice]) -> Sent:
        """Let the library send the one notice, once for each who is called."""
        (notice,) = notices
        urls = self._urls(notice)
        reached = self._reached.setdefault(notice.delivery_id, set())
        for url in urls:
            if url not in reached:
                await self._send(url, notice)
                reached.add(url)
        del self._reached[notice.delivery_id]
        return Sent()

    def _urls(self, notice: Notice) -> list[str]:
        """Where to send.

        Raises:
            Rejected: nobody who is called has the address that the URL asks for.
        """
        if self._way is None or isinstance(notice, SummaryEndNotice):
            return [self._url]
        addresses = [getattr(each, self._way) for each in notice.called]
        known = [address for address in dict.fromkeys(addresses) if address is not None]
        if not known:
            raise Rejected(f"nobody who is called has said a {self._way} (/v1/oncall/contacts)")
        return [_PLACE.sub(quote(address, safe=""), self._url) for address in known]

    async def _send(self, url: str, notice: Notice) -> None:
        order = Order(
            url=url,
            title=wording.title(notice),
            body=wording.cut("\n".join(self._lines(notice)), BODY_LENGTH_MAX),
            type=_type(notice),
            private_addresses_allowed=self._parts.private_addresses_allowed,
        )
        outcome = await self._run(order)
        if not outcome.is_sent:
            raise NotDelivered(outcome.reason)

    async def close(self) -> None:
        """Nothing is kept open."""

    async def _run(self, order: Order) -> Outcome:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.sla.alerts.apprise_process"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,  # the library's own words may hold the URL
            env={name: value for name in _KEPT if (value := os.environ.get(name)) is not None},
        )
        try:
            async with asyncio.timeout(START_SECONDS_MAX + self._parts.timeout_seconds):
                said, _ = await process.communicate(msgspec.json.encode(order))
            return msgspec.json.decode(said, type=Outcome)
        except TimeoutError:
            raise NotDelivered("no answer in time") from None
        except msgspec.DecodeError:
            raise NotDelivered(f"the sending process ended with {process.returncode}") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    def _lines(self, notice: Notice) -> list[str]:
        lines = [f"{name}: {value}" for name, value in wording.facts(notice)]
        if isinstance(notice, SummaryNotice):
            lines += ["", *wording.listed(notice)]
        if where := wording.link(notice, self._parts.public_url):
            lines += ["", where]
        return lines


def _type(notice: Notice) -> str:
    match notice:
        case SummaryEndNotice() | AlertNotice(action=Action.RESOLVE):
            return "success"
        case AlertNotice() | SummaryNotice():
            return _TYPES[wording.severity(notice)]
