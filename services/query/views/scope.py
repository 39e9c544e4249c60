"""What a caller may see: customers their own tickets without anything internal, everybody else all of it."""

from dataclasses import dataclass
from typing import Self

from shared.security import Principal


@dataclass(frozen=True, slots=True)
class Scope:
    """`requester_id`: only this customer's tickets, and no internal facts; None: an agent's view.

    `addresses`: further ids that the customer's token answers for. Tickets of the same known person are theirs too.
    """

    requester_id: str | None = None
    addresses: tuple[str, ...] = ()

    @classmethod
    def of(cls, principal: Principal) -> Self:
        """The scope of an authenticated caller."""
        if not principal.is_customer:
            return cls()
        return cls(principal.id, principal.addresses)

    @property
    def ids(self) -> list[str] | None:
        """The customer's ids, for `ids_of_person` in SQL."""
        return None if self.requester_id is None else [self.requester_id, *self.addresses]

    @property
    def sees_internal(self) -> bool:
        """Whether notes, groups, agents, promises and the audit are visible."""
        return self.requester_id is None
