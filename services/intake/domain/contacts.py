"""Persons on the customer's side: what makes two of them one, and what a ticket is told of them. Pure."""

from collections.abc import Iterable
from typing import Final
from uuid import UUID

import msgspec
from msgspec.structs import replace

from shared.errors import Refused
from shared.events.contacts import Contact, Organization
from shared.events.tickets import Person

NOTES_CHARS_MAX: Final = 10_000
"""A page or two about a customer; more is a document."""

IDENTITIES_MAX: Final = 50
"""Of each kind: more addresses than any person has, a shared mailbox is a contact of its own."""

DOMAINS_MAX: Final = 100
"""Of one organisation."""


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of somebody: who they are, and whom they belong to."""

    contact_id: UUID | None = None
    contact: Contact = Contact()
    organization: Organization | None = None


class IdentityIsTaken(Refused):
    """An address belongs to one person."""

    def __init__(self, identity: str, contact_id: UUID) -> None:
        super().__init__(
            f"{identity} belongs to contact {contact_id}; merge the two if they are one person"
        )
        self.contact_id = contact_id


class DomainIsTaken(Refused):
    """A mail domain belongs to one organisation."""

    def __init__(self, domain: str, organization_id: str) -> None:
        super().__init__(f"{domain} belongs to organisation {organization_id}", field="domains")


class ContactIsMerged(Refused):
    """The person lives on as another one."""

    def __init__(self, contact_id: UUID, into_contact_id: UUID) -> None:
        super().__init__(f"contact {contact_id} was merged into {into_contact_id}; speak of that")


class ContactIsNotMerged(Refused):
    """There is nothing to undo."""

    def __init__(self, contact_id: UUID) -> None:
        super().__init__(f"contact {contact_id} is not merged into another one")


class ContactMeetsItself(Refused):
    """Nobody is merged into themselves."""

    def __init__(self) -> None:
        super().__init__("a contact cannot be merged into itself", field="into")


class TooManyIdentities(Refused):
    """The one person would have more addresses than a person may have."""

    def __init__(self) -> None:
        super().__init__(f"a contact has at most {IDENTITIES_MAX} addresses of a kind")


def introduced(person: Person, known: Known) -> Person:
    """The requester as a ticket names them: the id they came with, and what we know beside it.

    What the caller says of the tier counts more than what we know: it is about this one request.
    """
    contact, organization = known.contact, known.organization
    return replace(
        person,
        contact_id=known.contact_id,
        name=contact.name or person.name,
        email=person.email or next(iter(contact.emails), None),
        organization=organization.name if organization else person.organization,
        tier=person.tier or contact.tier or (organization.tier if organization else None),
    )


def united(stays: Contact, goes: Contact) -> Contact:
    """One person out of two: what `stays` says counts, `goes` fills the gaps and brings its addresses.

    Raises:
        TooManyIdentities: there would be more than a person may have.
    """
    notes = [said for said in (stays.notes, goes.notes) if said]
    one = Contact(
        name=stays.name or goes.name,
        emails=_both(stays.emails, goes.emails),
        phones=_both(stays.phones, goes.phones),
        messengers=_both(stays.messengers, goes.messengers),
        logins=_both(stays.logins, goes.logins),
        organization=stays.organization or goes.organization,
        tier=stays.tier or goes.tier,
        language=stays.language or goes.language,
        notes="\n\n".join(notes)[:NOTES_CHARS_MAX] or None,
    )
    if max(map(len, (one.emails, one.phones, one.messengers, one.logins))) > IDENTITIES_MAX:
        raise TooManyIdentities
    return one


def of_identities(
    identities: Iterable[str], *, login: str | None = None, name: str | None = None
) -> Contact:
    """A person of whom nothing is known but these ids; one that is neither mail, phone nor `login` is a messenger's."""
    said = tuple(dict.fromkeys(identities))
    emails = tuple(one for one in said if one.startswith("mailto:"))
    phones = tuple(one for one in said if one.startswith("tel:"))
    others = _without(said, (*emails, *phones))
    return Contact(
        name=name,
        emails=tuple(one.removeprefix("mailto:") for one in emails),
        phones=tuple(one.removeprefix("tel:") for one in phones),
        messengers=tuple(one for one in others if one != login),
        logins=tuple(one for one in others if one == login),
    )


def parted(one: Contact, other: Contact) -> Contact:
    """The one person without the addresses of the other; what else was filled in stays for people to look at."""
    return replace(
        one,
        emails=_without(one.emails, other.emails),
        phones=_without(one.phones, other.phones),
        messengers=_without(one.messengers, other.messengers),
        logins=_without(one.logins, other.logins),
    )


def only(contact: Contact, identities: set[str]) -> Contact:
    """The person with those of their addresses that are among `identities`."""
    gone = replace(
        contact,
        emails=tuple(one for one in contact.emails if f"mailto:{one}" not in identities),
        phones=tuple(one for one in contact.phones if f"tel:{one}" not in identities),
        messengers=_without(contact.messengers, tuple(identities)),
        logins=_without(contact.logins, tuple(identities)),
    )
    return parted(contact, gone)


def _both(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first, *second)))


def _without(all_of_them: tuple[str, ...], gone: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(one for one in all_of_them if one not in set(gone))
