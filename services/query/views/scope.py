"""What a caller may see: customers their own tickets without anything internal, everybody else all of it."""

from dataclasses import dataclass
from typing import Self

from shared.security import Principal


@dataclass(frozen=True, slots=True)
class Scope:
    """`requester_id`: only this customer's tickets, and no internal facts; None: an agent's view."""

    requester_id: str | None = None

    @classmethod
    def of(cls, principal: Principal) -> Self:
        """The scope of an authenticated caller."""
        return cls(principal.id if principal.is_customer else None)

    @property
    def sees_internal(self) -> bool:
        """Whether notes, groups, agents, promises and the audit are visible."""
        return self.requester_id is None
