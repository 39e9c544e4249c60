"""Who may ask and say how people are reached: supervisors of everybody, agents of themselves."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from services.sla.oncall import contacts
from services.sla.oncall.contacts import Contact, NewContact
from shared.errors import Forbidden
from shared.eventstore import EventStore
from shared.http.origin import Origin
from shared.security import Role

R = TypeVar("R")


class ContactDesk:
    """The verbs on entries, each in one transaction of its own.

    Args:
        store: events and tables.
    """

    def __init__(self, store: EventStore[Any]) -> None:
        self._store = store

    async def everybody(self) -> list[Contact]:
        """All entries."""
        return await self._transact(contacts.everybody)

    async def find(self, target: str, *, origin: Origin) -> Contact:
        """One entry.

        Raises:
            Forbidden: an agent asks about somebody else.
            NotFound: there is none.
        """
        _require(origin, target)
        return await self._transact(lambda tx: contacts.find(tx, target))

    async def define(
        self, target: str, wanted: NewContact, *, origin: Origin, expected: int | None
    ) -> Contact:
        """Make or change an entry; see `contacts.define`.

        Raises:
            Forbidden: an agent speaks for somebody else.
        """
        _require(origin, target)
        return await self._transact(
            lambda tx: contacts.define(tx, target, wanted, origin=origin, expected=expected)
        )

    async def forget(self, target: str, *, origin: Origin) -> None:
        """Forget the addresses.

        Raises:
            Forbidden: an agent speaks for somebody else.
            NotFound: there is none.
        """
        _require(origin, target)
        await self._transact(lambda tx: contacts.forget(tx, target, origin=origin))

    async def _transact(self, work: Callable[[Any], R]) -> R:
        return await asyncio.to_thread(self._store.transact, work)


def _require(origin: Origin, target: str) -> None:
    if not origin.principal.may(Role.SUPERVISOR) and target != f"agent:{origin.actor.id}":
        raise Forbidden("Agents may see and change only how they are reached.", field="target")
