"""Where a command comes from: who, through what, within which correlation."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import msgspec
from fastapi import Depends, Request
from starlette.requests import HTTPConnection

from shared.errors import Forbidden, Invalid
from shared.events.base import Actor, Channel, Stamp
from shared.http.client_ip import TrustedProxies
from shared.observability.correlation import current_correlation_id, new_correlation_id
from shared.security import Principal, Role, authenticate

_VIA: Final = {
    Role.CUSTOMER: Channel.API,
    Role.AGENT: Channel.AGENT,
    Role.SUPERVISOR: Channel.AGENT,
    Role.ADMIN: Channel.AGENT,
    Role.SERVICE: Channel.API,
}
_CLOCKS_DIFFER_MAX: Final = timedelta(seconds=5)
"""How far ahead of ours a sender's clock may be; such a moment counts as now."""

_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""No ticket desk is older, and arithmetic near the first year of the calendar overflows."""


class Origin(msgspec.Struct, frozen=True):
    """The origin of one request, as the events it causes will name it."""

    actor: Actor
    via: Channel
    correlation_id: str
    principal: Principal

    @classmethod
    def of(cls, asked: HTTPConnection, principal: Principal) -> "Origin":
        """The plain function for hot paths. `via` is `agent` for people who work here, else `api`."""
        actor = principal.actor
        proxies: TrustedProxies = asked.app.state.trusted_proxies
        return cls(
            actor=Actor(actor.kind, actor.id, actor.name, proxies.address(asked.scope)),
            via=_VIA[principal.role],
            correlation_id=current_correlation_id() or new_correlation_id(),
            principal=principal,
        )

    def through(
        self, via: Channel | None, occurred_at: datetime | None, *, now: datetime
    ) -> tuple["Origin", datetime]:
        """This origin with the channel and moment a body asks for, checked.

        Raises:
            Forbidden: `via: import` or `occurred_at` from somebody else than a machine account or an admin.
            Invalid: `occurred_at` has no offset or lies in the future, or `via` is `system`.
        """
        if (via is Channel.IMPORT or occurred_at is not None) and not self.principal.may_backdate:
            raise Forbidden(
                "Only machine accounts and admins may import or say when it happened.",
                field="via" if via is Channel.IMPORT else "occurred_at",
            )
        if via is Channel.SYSTEM:
            raise Invalid.of("via", "`system` is what the product does by itself")
        channel = self.via if via is None else via
        origin = self if channel is self.via else msgspec.structs.replace(self, via=channel)
        return origin, now if occurred_at is None else _past(occurred_at, now)

    def stamp(
        self,
        version: int,
        occurred_at: datetime,
        recorded_at: datetime,
        *,
        causation_id: str | None = None,
    ) -> Stamp:
        """The fields every event carries."""
        return {
            "version": version,
            "occurred_at": occurred_at,
            "recorded_at": recorded_at,
            "actor": self.actor,
            "via": self.via,
            "correlation_id": self.correlation_id,
            "causation_id": causation_id,
        }


async def origin(request: Request) -> Origin:
    """Dependency: the origin of this request. Roles are checked by the handler's own `require`."""
    return Origin.of(request, await authenticate(request))


RequestOrigin = Annotated[Origin, Depends(origin)]
"""`origin: RequestOrigin` in a handler's signature."""


def _past(occurred_at: datetime, now: datetime) -> datetime:
    if occurred_at.tzinfo is None:
        raise Invalid.of(
            "occurred_at", "expected a moment with its offset, such as 2026-01-31T09:00:00Z"
        )
    if occurred_at > now + _CLOCKS_DIFFER_MAX:
        raise Invalid.of("occurred_at", "lies in the future")
    if occurred_at < _EARLIEST:
        raise Invalid.of("occurred_at", "lies before 1970")
    return min(occurred_at.astimezone(UTC), now)
