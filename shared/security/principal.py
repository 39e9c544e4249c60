"""Who speaks to us, and what that role may do."""

from enum import StrEnum
from typing import Final

import msgspec

from shared.events.base import Actor, ActorKind


class Role(StrEnum):
    """What a caller may do; each includes the ones before it, `service` stands beside `admin`."""

    CUSTOMER = "customer"
    AGENT = "agent"
    SUPERVISOR = "supervisor"
    ADMIN = "admin"
    SERVICE = "service"


_RANK: Final = {
    Role.CUSTOMER: 0,
    Role.AGENT: 1,
    Role.SUPERVISOR: 2,
    Role.ADMIN: 3,
    Role.SERVICE: 3,
}

_KIND: Final = {
    Role.CUSTOMER: ActorKind.CUSTOMER,
    Role.AGENT: ActorKind.AGENT,
    Role.SUPERVISOR: ActorKind.AGENT,
    Role.ADMIN: ActorKind.AGENT,
    Role.SERVICE: ActorKind.SERVICE,
}


class Principal(msgspec.Struct, frozen=True):
    """The authenticated caller, as the identity provider describes it.

    Attributes:
        id: the token's `sub`; a customer's is the `requester.id` of own tickets, an agent's is the agent id.
        is_email_verified: the identity provider says that the address is the caller's own (`email_verified`).
        groups: ids of the groups the identity provider names; routing's own membership is not here.
    """

    id: str
    role: Role
    name: str | None = None
    email: str | None = None
    groups: tuple[str, ...] = ()
    is_email_verified: bool = False

    def may(self, wanted: Role) -> bool:
        """Whether this role includes `wanted`. Wanting `service` means a machine account and nothing else."""
        if wanted is Role.SERVICE:
            return self.role is Role.SERVICE
        return _RANK[self.role] >= _RANK[wanted]

    @property
    def is_customer(self) -> bool:
        """A customer sees only own tickets and never a note."""
        return self.role is Role.CUSTOMER

    @property
    def may_backdate(self) -> bool:
        """Whether `via: import` and `occurred_at` may be given: machine accounts and admins only."""
        return self.role in {Role.SERVICE, Role.ADMIN}

    @property
    def addresses(self) -> tuple[str, ...]:
        """Ids of persons beside `id` that the token answers for: a verified address, as mail names its author."""
        if self.email is None or not self.is_email_verified:
            return ()
        return (f"mailto:{self.email.lower()}",)

    @property
    def actor(self) -> Actor:
        """The same caller as events name it."""
        return Actor(kind=_KIND[self.role], id=self.id, name=self.name)
