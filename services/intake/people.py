"""Whose an address is: a number, an e-mail address or an account, and the person who is known by it."""

from collections.abc import Sequence
from typing import Any, Final

from services.intake.domain import limits
from shared.database import Transaction
from shared.events.tickets import Person
from shared.eventstore import EventStore
from shared.identifiers import derived_id

_LONG_ID_CHARS: Final = 240


def tel(number: str) -> str:
    """The address of a number in E.164: `tel:+4930123456`."""
    return f"tel:{number}"


def mailto(email: str) -> str:
    """The address of a mailbox, as the mail channel names its senders; no login's subject looks like it."""
    address = email.lower()
    named = address if len(address) <= _LONG_ID_CHARS else str(derived_id("mail-address", address))
    return f"mailto:{named}"


_FIND: Final = """
SELECT a.address, p.person_id, coalesce(p.name, k.definition ->> 'name') AS name,
    coalesce(p.email, k.definition -> 'emails' ->> 0) AS email, p.organization
FROM unnest(%(addresses)s::text[]) WITH ORDINALITY AS a (address, place)
LEFT JOIN person_addresses AS p USING (address)
LEFT JOIN contact_identities AS c ON c.identity = a.address LEFT JOIN contacts AS k USING (contact_id)
WHERE p.address IS NOT NULL OR c.identity IS NOT NULL ORDER BY a.place LIMIT 1
"""
"""By what was said of a number, and by what is known of a contact. Of a contact the address itself is the person's id:
what else is known of them, as the tier, is added when a ticket is opened (`Contacts.introduced`)."""


def find(tx: Transaction, addresses: Sequence[str]) -> Person | None:
    """The person who is known by the first of these addresses that is anybody's."""
    tx.cursor.execute(_FIND, {"addresses": list(addresses)})
    row = tx.cursor.fetchone()
    return None if row is None else _person(row)


def remember(tx: Transaction, address: str, person: Person) -> None:
    """From now on this address is theirs; a name that is not said again stays."""
    tx.cursor.execute(
        "INSERT INTO person_addresses (address, person_id, name, email, organization, recorded_at)"
        " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (address) DO UPDATE SET"
        " person_id = excluded.person_id, recorded_at = excluded.recorded_at,"
        " name = coalesce(excluded.name, person_addresses.name),"
        " email = coalesce(excluded.email, person_addresses.email),"
        " organization = coalesce(excluded.organization, person_addresses.organization)",
        (address, person.id, person.name, person.email, person.organization, tx.now),
    )


async def look_up(store: EventStore[Any], addresses: Sequence[str]) -> Person | None:
    """`find` outside of a transaction."""
    pool = await store.pool()
    async with pool.connection() as connection:
        found = await connection.execute(_FIND, {"addresses": list(addresses)})
        row = await found.fetchone()
    return None if row is None else _person(row)


def _person(row: dict[str, Any]) -> Person:
    name = row["name"]
    return Person(
        id=row["person_id"] or row["address"],
        name=None if name is None else name[: limits.NAME_CHARS_MAX],
        email=row["email"],
        organization=row["organization"],
    )
