"""Refused tokens, counted for the audit: the first of an address at once, the others of that minute together."""

import time
from collections.abc import Callable, Sequence
from typing import Final

import jwt
import msgspec
import structlog
from starlette.types import Scope

from shared.events import Actor, ActorKind, Channel
from shared.http.client_ip import TrustedProxies
from shared.observability.correlation import current_correlation_id, new_correlation_id
from shared.operations import Operation
from shared.security.tokens import CHARS_MAX, InvalidToken
from shared.security.written_behind import WrittenBehind

log = structlog.get_logger(__name__)

WINDOW_SECONDS: Final = 60.0
KEYS_MAX: Final = 20
"""Addresses and names told apart in a minute by a process; a flood from more costs no more than two records each."""

UNWRITTEN_MAX: Final = 200
"""Kept while PostgreSQL is away."""

_OTHERS: Final = "others"
_CLAIMED_CHARS_MAX: Final = 120


class _Count(msgspec.Struct):
    """Refusals of one kind in this window: how many, how many of them are in the log, and what the last one said."""

    reason: str
    correlation_id: str
    seen: int = 0
    written: int = 0


class RefusedLogins:
    """Collects refusals and writes them. A flood costs a count each; the token's text is kept nowhere.

    Args:
        proxies: who may say for whom they ask.
        write: into the log; blocks, so it is called in a thread.
        window_seconds: what comes within is told together.
    """

    def __init__(
        self,
        proxies: TrustedProxies,
        write: Callable[[Sequence[Operation]], None],
        *,
        window_seconds: float = WINDOW_SECONDS,
    ) -> None:
        self._proxies = proxies
        self._window_seconds = window_seconds
        self._behind = WrittenBehind(
            "refused logins",
            write,
            take=self._take,
            seconds_left=self._seconds_left,
            kept_max=UNWRITTEN_MAX,
        )
        self._begun: float | None = None
        self._counts: dict[tuple[str, str], _Count] = {}

    def saw(self, scope: Scope, token: str, error: InvalidToken) -> None:
        """A token was refused."""
        key = (self._proxies.address(scope) or "unknown", _claimed(token))
        if key not in self._counts and len(self._counts) >= KEYS_MAX:
            key = (_OTHERS, _OTHERS)
        count = self._counts.get(key)
        if count is None:
            correlation_id = current_correlation_id() or new_correlation_id()
            count = self._counts[key] = _Count(error.detail, correlation_id)
        count.seen += 1
        if count.seen == 1:
            if self._begun is None:
                self._begun = time.monotonic()
            self._behind.wake()

    async def run(self) -> None:
        """Write until cancelled, and what is left then."""
        await self._behind.run()

    def _seconds_left(self) -> float | None:
        """Until the window is over; None when nothing was refused in it."""
        if self._begun is None:
            return None
        return max(0.0, self._begun + self._window_seconds - time.monotonic())

    def _take(self, ends: bool) -> list[Operation]:
        """What was never told, and when the window is over, what has come since."""
        is_over = ends or self._seconds_left() == 0.0
        taken = []
        for (address, claimed), count in self._counts.items():
            if count.seen > count.written and (is_over or not count.written):
                taken.append(_operation(address, claimed, count))
                count.written = count.seen
        if is_over:
            self._counts, self._begun = {}, None
        return taken


def _operation(address: str, claimed: str, count: _Count) -> Operation:
    # What a refused token says of itself is nobody's word: it is told, and is not the actor.
    return Operation(
        what="login.refused",
        about=address,
        actor=Actor(ActorKind.CUSTOMER, "unknown", ip=None if address == _OTHERS else address),
        via=Channel.API,
        correlation_id=count.correlation_id,
        changes={"claimed": (None, claimed), "reason": (None, count.reason)},
        count=count.seen - count.written,
    )


def _claimed(token: str) -> str:
    """Whom the token says it is of; for people, and proven by nothing."""
    try:
        said = jwt.decode(token[:CHARS_MAX], options={"verify_signature": False}).get("sub")
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        return "nobody"
    return said[:_CLAIMED_CHARS_MAX] if isinstance(said, str) and said.isprintable() else "nobody"
