"""Known persons and organisations: the tables, kept in the transaction of the event, and who is behind an address."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import msgspec

from services.intake.domain.contacts import (
    ContactIsMerged,
    ContactIsNotMerged,
    ContactMeetsItself,
    DomainIsTaken,
    IdentityIsTaken,
    Known,
    introduced,
    only,
    parted,
    united,
)
from services.intake.domain.ticket import Ticket
from shared.database import Transaction
from shared.errors import Conflict, Invalid, NotFound
from shared.events import Stamp
from shared.events.contacts import (
    Contact,
    ContactDefined,
    ContactMerged,
    ContactMergeReceived,
    ContactMergeUndone,
    ContactUnmerged,
    Organization,
    OrganizationDefined,
)
from shared.events.tickets import Person
from shared.eventstore import EventTransaction

Tx = EventTransaction[Ticket]

_MAIL: Final = "mailto:"
FIND: Final = """
SELECT c.contact_id, c.contact, coalesce(own.definition, domain.definition) AS organization
FROM (SELECT 1) AS always
LEFT JOIN LATERAL (
    SELECT c.contact_id, c.definition AS contact FROM contact_identities AS i JOIN contacts AS c USING (contact_id)
    WHERE i.identity = ANY(%(identities)s) ORDER BY array_position(%(identities)s, i.identity) LIMIT 1
) AS c ON true
LEFT JOIN organizations AS own ON own.organization_id = c.contact ->> 'organization'
LEFT JOIN LATERAL (
    SELECT o.definition FROM organization_domains AS d JOIN organizations AS o USING (organization_id)
    WHERE d.domain = ANY(%(domains)s) LIMIT 1
) AS domain ON true
"""
"""Who is behind the first of the ids that is known, and whom they, or else their mail domain, belong to."""


class ContactDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A contact with its version, as commands answer it."""

    contact_id: UUID
    version: int
    contact: Contact
    merged_into: UUID | None = None


class OrganizationDocument(msgspec.Struct, frozen=True, kw_only=True):
    """An organisation with its version."""

    organization_id: str
    version: int
    organization: Organization


class Contacts:
    """Who is behind an address.

    Attributes:
        is_empty: nobody is known yet, so nothing needs to be asked. Learnt by `refresh`.
    """

    def __init__(self) -> None:
        self.is_empty = True

    def refresh(self, tx: Transaction) -> None:
        """Learn whether anybody is known; once it is so, nothing is asked any more."""
        if self.is_empty:
            tx.cursor.execute(
                "SELECT EXISTS (SELECT FROM contacts) OR EXISTS (SELECT FROM organization_domains) AS found"
            )
            row = tx.cursor.fetchone()
            self.is_empty = row is None or not row["found"]

    def introduced(self, tx: Transaction, person: Person) -> Person:
        """The person with what we know of them."""
        if self.is_empty:
            return person
        tx.cursor.execute(FIND, asked(person.id, person.email))
        return told(person, tx.cursor.fetchone())

    def are_same(self, tx: Transaction, ids: Sequence[str], other: str) -> bool:
        """Whether one of these ids and the other one are of the same person."""
        if other in ids:
            return True
        if self.is_empty:
            return False
        tx.cursor.execute(
            "SELECT EXISTS (SELECT FROM contact_identities AS mine JOIN contact_identities AS other"
            " USING (contact_id) WHERE mine.identity = ANY(%s) AND other.identity = %s) AS found",
            (list(ids), other),
        )
        row = tx.cursor.fetchone()
        return row is not None and bool(row["found"])


def asked(identity: str, email: str | None) -> dict[str, list[str]]:
    """The parameters of `FIND`; `email` only if somebody answers for it."""
    addresses = [identity.removeprefix(_MAIL)] if identity.startswith(_MAIL) else []
    if email is not None:
        addresses.append(email.lower())
    return {
        "identities": [identity, *(_MAIL + address for address in addresses)],
        "domains": [address.rpartition("@")[2] for address in addresses if "@" in address],
    }


def told(person: Person, row: dict[str, Any] | None) -> Person:
    """The person with what a row of `FIND` says."""
    if row is None:
        return person
    return introduced(
        person,
        Known(
            contact_id=row["contact_id"],
            contact=msgspec.convert(row["contact"] or {}, Contact),
            organization=msgspec.convert(row["organization"], Organization | None),
        ),
    )


def define(
    tx: Tx, contact_id: UUID, contact: Contact, stamp: Stamp, *, expected: int | None = None
) -> ContactDocument:
    """Make a person known, or known differently; the same again changes nothing.

    Raises:
        Conflict: the contact has moved on from the expected version.
        IdentityIsTaken, ContactIsMerged: see there. Invalid: the organisation is not known.
    """
    lock(tx)
    found = find(tx, contact_id)
    version = found.version if found else 0
    if expected not in {None, version}:
        raise Conflict(f"contact {contact_id} is at version {version}, not {expected}")
    if found is not None and found.merged_into is not None:
        raise ContactIsMerged(contact_id, found.merged_into)
    if found is not None and found.contact == contact:
        return found
    _check_free(tx, contact_id, contact)
    if contact.organization is not None and _organization(tx, contact.organization) is None:
        raise Invalid.of("organization", f"there is no organisation {contact.organization}")
    tx.append(
        ContactDefined(
            **(stamp | {"version": version + 1}),
            contact_id=contact_id,
            contact=contact,
            previous=found.contact if found else None,
        )
    )
    return _put(tx, ContactDocument(contact_id=contact_id, version=version + 1, contact=contact))


def merge(
    tx: Tx, contact_id: UUID, into: UUID, stamp: Stamp, *, expected: int | None = None
) -> ContactDocument:
    """Say that one person is another one. Tickets keep the ids they came with, so it can be undone. Returns the other.

    Raises:
        NotFound, Conflict, ContactIsMerged, ContactMeetsItself, TooManyIdentities: nothing happens then.
    """
    lock(tx)
    goes = _existing(tx, contact_id, expected)
    stays = _existing(tx, into, field="into")
    if goes.merged_into == into:
        return stays
    for one in (goes, stays):
        if one.merged_into is not None:
            raise ContactIsMerged(one.contact_id, one.merged_into)
    if contact_id == into:
        raise ContactMeetsItself
    both = united(stays.contact, goes.contact)
    tx.append(
        ContactMerged(
            **(stamp | {"version": goes.version + 1}),
            contact_id=contact_id,
            into_contact_id=into,
            contact=goes.contact,
        ),
        ContactMergeReceived(
            **(stamp | {"version": stays.version + 1}),
            contact_id=into,
            from_contact_id=contact_id,
            contact=both,
            previous=stays.contact,
        ),
    )
    _put(tx, msgspec.structs.replace(goes, version=goes.version + 1, merged_into=into))
    return _put(tx, ContactDocument(contact_id=into, version=stays.version + 1, contact=both))


def unmerge(
    tx: Tx, contact_id: UUID, stamp: Stamp, *, expected: int | None = None
) -> ContactDocument:
    """Undo a merge: the person stands apart again, with the addresses that were theirs and are nobody else's since.

    Raises:
        NotFound, Conflict, ContactIsNotMerged: see there.
        ContactIsMerged: the other one was merged on; undo that first.
    """
    lock(tx)
    gone = _existing(tx, contact_id, expected)
    if gone.merged_into is None:
        raise ContactIsNotMerged(contact_id)
    stayed = _existing(tx, gone.merged_into)
    if stayed.merged_into is not None:
        raise ContactIsMerged(stayed.contact_id, stayed.merged_into)
    taken = _owners(tx, gone.contact.identities, except_of=(contact_id, stayed.contact_id))
    back = only(gone.contact, {one for one in gone.contact.identities if one not in taken})
    left = parted(stayed.contact, back)
    tx.append(
        ContactMergeUndone(
            **(stamp | {"version": stayed.version + 1}),
            contact_id=stayed.contact_id,
            other_contact_id=contact_id,
            contact=left,
            previous=stayed.contact,
        ),
        ContactUnmerged(
            **(stamp | {"version": gone.version + 1}),
            contact_id=contact_id,
            from_contact_id=stayed.contact_id,
            contact=back,
        ),
    )
    _put(tx, msgspec.structs.replace(stayed, version=stayed.version + 1, contact=left))
    return _put(tx, ContactDocument(contact_id=contact_id, version=gone.version + 1, contact=back))


def define_organization(
    tx: Tx,
    organization_id: str,
    organization: Organization,
    stamp: Stamp,
    *,
    expected: int | None = None,
) -> OrganizationDocument:
    """Make an organisation known, or known differently.

    Raises:
        Conflict: it has moved on from the expected version.
        DomainIsTaken: see there.
    """
    lock(tx)
    found = _organization(tx, organization_id)
    version = found.version if found else 0
    if expected not in {None, version}:
        raise Conflict(f"organisation {organization_id} is at version {version}, not {expected}")
    if found is not None and found.organization == organization:
        return found
    tx.cursor.execute(
        "SELECT domain, organization_id FROM organization_domains"
        " WHERE domain = ANY(%s) AND organization_id <> %s",
        (list(organization.domains), organization_id),
    )
    for row in tx.cursor.fetchall():
        raise DomainIsTaken(row["domain"], row["organization_id"])
    tx.append(
        OrganizationDefined(
            **(stamp | {"version": version + 1}),
            organization_id=organization_id,
            organization=organization,
            previous=found.organization if found else None,
        )
    )
    said = msgspec.json.encode(organization).decode()
    tx.cursor.execute(
        "INSERT INTO organizations (organization_id, version, definition) VALUES (%s, %s, %s)"
        " ON CONFLICT (organization_id) DO UPDATE SET version = excluded.version, definition = excluded.definition",
        (organization_id, version + 1, said),
    )
    tx.cursor.execute(
        "DELETE FROM organization_domains WHERE organization_id = %s", (organization_id,)
    )
    tx.cursor.execute(
        "INSERT INTO organization_domains (domain, organization_id) SELECT unnest(%s::text[]), %s",
        (list(organization.domains), organization_id),
    )
    return OrganizationDocument(
        organization_id=organization_id, version=version + 1, organization=organization
    )


def lock(tx: Transaction) -> None:
    """One change of contacts at a time, in all processes: an address must not be given away twice. They are rare."""
    tx.cursor.execute("SELECT pg_advisory_xact_lock(hashtext('intake:contacts'))")


def find(tx: Transaction, contact_id: UUID) -> ContactDocument | None:
    """The contact as it is now; None: there is none."""
    tx.cursor.execute(
        "SELECT contact_id, version, definition AS contact, merged_into FROM contacts WHERE contact_id = %s",
        (contact_id,),
    )
    row = tx.cursor.fetchone()
    return None if row is None else msgspec.convert(row, ContactDocument)


def owners(tx: Transaction, identities: Sequence[str]) -> dict[str, UUID]:
    """Whose these are, in their order; nobody's are left out."""
    return _owners(tx, identities, except_of=())


def _existing(
    tx: Tx, contact_id: UUID, expected: int | None = None, *, field: str | None = None
) -> ContactDocument:
    found = find(tx, contact_id)
    if found is None:
        raise NotFound(f"there is no contact {contact_id}", field=field)
    if expected not in {None, found.version}:
        raise Conflict(f"contact {contact_id} is at version {found.version}, not {expected}")
    return found


def _organization(tx: Tx, organization_id: str) -> OrganizationDocument | None:
    tx.cursor.execute(
        "SELECT organization_id, version, definition AS organization FROM organizations"
        " WHERE organization_id = %s",
        (organization_id,),
    )
    row = tx.cursor.fetchone()
    return None if row is None else msgspec.convert(row, OrganizationDocument)


def _owners(
    tx: Transaction, identities: Sequence[str], *, except_of: Sequence[UUID]
) -> dict[str, UUID]:
    tx.cursor.execute(
        "SELECT identity, contact_id FROM contact_identities"
        " WHERE identity = ANY(%(all)s) AND contact_id <> ALL(%(others)s)"
        " ORDER BY array_position(%(all)s::text[], identity)",
        {"all": list(identities), "others": list(except_of)},
    )
    return {row["identity"]: row["contact_id"] for row in tx.cursor.fetchall()}


def _check_free(tx: Tx, contact_id: UUID, contact: Contact) -> None:
    for identity, owner in _owners(tx, contact.identities, except_of=(contact_id,)).items():
        raise IdentityIsTaken(identity, owner)


def _put(tx: Tx, document: ContactDocument) -> ContactDocument:
    """Write the rows of a contact; one that is merged has no addresses of its own."""
    tx.cursor.execute(
        "INSERT INTO contacts (contact_id, version, definition, merged_into) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (contact_id) DO UPDATE SET version = excluded.version,"
        " definition = excluded.definition, merged_into = excluded.merged_into",
        (
            document.contact_id,
            document.version,
            msgspec.json.encode(document.contact).decode(),
            document.merged_into,
        ),
    )
    tx.cursor.execute(
        "DELETE FROM contact_identities WHERE contact_id = %s", (document.contact_id,)
    )
    if document.merged_into is None:
        tx.cursor.execute(
            "INSERT INTO contact_identities (identity, contact_id) SELECT unnest(%s::text[]), %s",
            (list(document.contact.identities), document.contact_id),
        )
    return document
