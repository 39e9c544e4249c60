"""Whose an address is: a number, a mail address or an account. Contacts are the one place that knows."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import structlog

from services.intake import contacts
from services.intake.domain import limits
from services.intake.domain.contacts import TooManyIdentities, of_identities, parted, united
from services.intake.domain.ticket import Ticket
from shared.database import Transaction
from shared.events import Stamp
from shared.events.tickets import Person
from shared.eventstore import EventStore, EventTransaction
from shared.identifiers import derived_id, new_id

log = structlog.get_logger(__name__)

_LONG_ID_CHARS: Final = 240

_FIND: Final = """
SELECT i.identity, k.definition -> 'logins' ->> 0 AS login, k.definition ->> 'name' AS name,
    k.definition -> 'emails' ->> 0 AS email
FROM unnest(%(addresses)s::text[]) WITH ORDINALITY AS a (address, place)
JOIN contact_identities AS i ON i.identity = a.address JOIN contacts AS k USING (contact_id)
ORDER BY a.place LIMIT 1
"""


def tel(number: str) -> str:
    """The address of a number in E.164: `tel:+4930123456`."""
    return f"tel:{number}"


def mailto(email: str) -> str:
    """The address of a mailbox, as the mail channel names its senders; no login's subject looks like it."""
    address = email.lower()
    named = address if len(address) <= _LONG_ID_CHARS else str(derived_id("mail-address", address))
    return f"mailto:{named}"


def find(tx: Transaction, addresses: Sequence[str]) -> Person | None:
    """The person who is known by the first of these addresses that is anybody's: by their login, else by the address.

    What else is known of them, as the organisation, is added when a ticket is opened (`Contacts.introduced`).
    """
    tx.cursor.execute(_FIND, {"addresses": list(addresses)})
    row = tx.cursor.fetchone()
    return None if row is None else _person(row)


async def look_up(store: EventStore[Any], addresses: Sequence[str]) -> Person | None:
    """`find` outside of a transaction."""
    pool = await store.pool()
    async with pool.connection() as connection:
        found = await connection.execute(_FIND, {"addresses": list(addresses)})
        row = await found.fetchone()
    return None if row is None else _person(row)


def introduce(
    tx: EventTransaction[Ticket], addresses: Sequence[str], person: Person, stamp: Stamp
) -> None:
    """From now on these addresses are theirs, whosever they were; the contact's history tells who said so.

    Who is no contact becomes one. What is known of a contact stays, and what is said of the person fills its gaps.
    """
    named = (person.id, *addresses)
    whose = contacts.owners(tx, named)
    if len(set(whose.values())) == 1 and whose.keys() == set(named):
        return  # the usual case: it was said before
    contacts.lock(tx)
    if person.email is not None and not contacts.owners(tx, (mailto(person.email),)):
        named = (*named, mailto(person.email))
    whose = contacts.owners(tx, named)
    theirs = whose.get(person.id) or _nothing_else(tx, whose, named) or new_id()
    known = contacts.find(tx, theirs)
    have = known.contact.identities if known else ()
    new = [one for one in named if one not in have]
    said = of_identities(new, login=person.id, name=person.name)
    try:
        whole = united(known.contact, said) if known else said
    except TooManyIdentities as refusal:  # the call or the ticket counts more
        log.warning("person_not_introduced", person=person.id, reason=refusal.detail)
        return
    for other in sorted(set(whose.values()) - {theirs}):
        before = contacts.find(tx, other)
        assert before is not None, "an address belongs to a contact that is there"
        contacts.define(tx, other, parted(before.contact, said), stamp)
    contacts.define(tx, theirs, whole, stamp)


def _nothing_else(tx: Transaction, whose: dict[str, UUID], named: Sequence[str]) -> UUID | None:
    """A contact that is nothing but these addresses; any other one would give this person more than was said."""
    for one in dict.fromkeys(whose.values()):
        known = contacts.find(tx, one)
        if known is not None and set(known.contact.identities) <= set(named):
            return one
    return None


def _person(row: dict[str, Any]) -> Person:
    name = row["name"]
    return Person(
        id=row["login"] or row["identity"],
        name=None if name is None else name[: limits.NAME_CHARS_MAX],
        email=row["email"],
    )
