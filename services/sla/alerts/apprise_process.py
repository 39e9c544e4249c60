"""The process that runs `apprise` for one notice: `python -m services.sla.alerts.apprise_process`.

The library resolves names and follows redirects by itself. So the check sits below it, where a
connection is made: an audit hook of the interpreter sees the very address, and cannot be removed.
Programs of this machine are not started for anybody either.
"""

import logging
import sys
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from services.sla.alerts.addresses import is_public
from services.sla.alerts.apprise import Order, Outcome

_PROGRAMS: Final = frozenset(
    {"subprocess.Popen", "os.exec", "os.posix_spawn", "os.system", "pty.spawn"}
)

_UNVERIFIED: Final = ("no", "false", "0", "off", "disable")


class _Refused(ConnectionRefusedError):
    """The library is to take it for an address where nobody answers."""


class Guard:
    """Sees every connection before it is made.

    Args:
        private_addresses_allowed: whether loopback, private and link-local addresses are fine.
    """

    def __init__(self, *, private_addresses_allowed: bool) -> None:
        self._private_allowed = private_addresses_allowed
        self.has_refused = False

    def look(self, event: str, arguments: tuple[Any, ...]) -> None:
        """The audit hook.

        Raises:
            ConnectionRefusedError: the address is private, or this would start a program.
        """
        if event in _PROGRAMS or (event == "socket.connect" and not self._may(arguments[1])):
            self.has_refused = True
            raise _Refused

    def _may(self, address: Any) -> bool:
        if self._private_allowed:
            return True
        # Anything but (host, port, …) is a socket of this machine.
        return isinstance(address, tuple) and is_public(str(address[0]))


def deliver(order: Order) -> Outcome:
    """Send, and say what became of it in words that hold nothing of the URL."""
    verify = [
        part[7:].lower()
        for part in urlsplit(order.url).query.split("&")
        if part.lower().startswith("verify=")
    ]
    if any(value in _UNVERIFIED for value in verify) and not order.private_addresses_allowed:
        return Outcome(is_sent=False, reason="the URL turns the verification of TLS off")
    guard = Guard(private_addresses_allowed=order.private_addresses_allowed)
    from apprise import Apprise, AppriseAsset  # noqa: PLC0415 - loads what the hook would see

    sender = Apprise(asset=AppriseAsset(async_mode=False, http_redirects=False))
    if not sender.add(order.url):
        return Outcome(is_sent=False, reason="apprise does not know this kind of URL")
    sys.addaudithook(guard.look)
    sent = sender.notify(body=order.body, title=order.title, notify_type=order.type)
    if sent:
        return Outcome(is_sent=True)
    if guard.has_refused:
        return Outcome(
            is_sent=False,
            reason="the receiver's address is private; TICKETING_ALERT_PRIVATE_ADDRESSES_ALLOWED permits it",
        )
    return Outcome(is_sent=False, reason="the service did not take it")


def main() -> None:
    """One order in, one outcome out."""
    logging.disable(logging.CRITICAL)
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    sys.stdout.buffer.write(msgspec.json.encode(deliver(order)))


if __name__ == "__main__":
    main()
