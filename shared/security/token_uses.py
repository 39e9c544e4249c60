"""Tokens of this installation's own issuer, told to the audit when they first come: who makes one needs no service."""

import hashlib
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import jwt
import structlog
from starlette.types import Scope

from shared.events import Actor, Channel
from shared.http.client_ip import TrustedProxies
from shared.observability.correlation import current_correlation_id, new_correlation_id
from shared.operations import Operation
from shared.security.principal import Principal, Role
from shared.security.written_behind import WrittenBehind

log = structlog.get_logger(__name__)

TOKENS_MAX: Final = 20_000
"""Told apart by a process until they end: some 4 MB. Of what is more the log of the process alone tells, once."""


class TokenUses:
    """Collects first uses and writes them, each token once for a process; the token's text is kept nowhere.

    Args:
        proxies: who may say for whom they ask.
        write: into the log; blocks, so it is called in a thread.
    """

    def __init__(
        self, proxies: TrustedProxies, write: Callable[[Sequence[Operation]], None]
    ) -> None:
        self._proxies = proxies
        self._behind = WrittenBehind("token uses", write, take=self._take, kept_max=TOKENS_MAX)
        self._seen: dict[str, float] = {}
        self._new: list[Operation] = []
        self._is_full = False

    def saw(self, scope: Scope, token: str, principal: Principal, ends_at: float) -> None:
        """A token was accepted, for the first time as far as its verifier remembers."""
        # Its signature was checked: what it says of itself is the issuer's word.
        said: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
        name = str(said.get("jti") or hashlib.sha256(token.encode()).hexdigest()[:32])
        if name in self._seen or not self._has_room():
            return
        self._seen[name] = ends_at
        self._new.append(self._operation(scope, name, said, principal, ends_at))
        self._behind.wake()

    async def run(self) -> None:
        """Write until cancelled, and what is left then."""
        await self._behind.run()

    def _take(self, _ends: bool) -> Sequence[Operation]:
        new, self._new = self._new, []
        return new

    def _has_room(self) -> bool:
        if len(self._seen) >= TOKENS_MAX:
            now = time.time()
            self._seen = {name: end for name, end in self._seen.items() if end > now}
            if len(self._seen) >= TOKENS_MAX:
                if not self._is_full:
                    log.warning("token_uses_too_many", known=TOKENS_MAX)
                self._is_full = True
                return False
        self._is_full = False
        return True

    def _operation(
        self, scope: Scope, name: str, said: dict[str, Any], principal: Principal, ends_at: float
    ) -> Operation:
        actor = principal.actor
        made_at = said.get("iat")
        is_staff = principal.role not in {Role.CUSTOMER, Role.SERVICE}
        return Operation(
            what="token.use",
            about=name,
            actor=Actor(actor.kind, actor.id, actor.name, self._proxies.address(scope)),
            via=Channel.AGENT if is_staff else Channel.API,
            correlation_id=current_correlation_id() or new_correlation_id(),
            changes={
                "role": (None, principal.role.value),
                "made_at": (None, _moment(made_at) if isinstance(made_at, int | float) else None),
                "ends_at": (None, _moment(ends_at)),
            },
        )


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
