"""Events of intake about the customer's side: persons with all their addresses, and organisations."""

from typing import ClassVar
from uuid import UUID

import msgspec

from shared.events.base import Event, Owner
from shared.identifiers import derived_id


class Contact(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A person on the customer's side, as known to the people who work here.

    Attributes:
        name: for people.
        emails: addresses in lower case, the preferred one first.
        phones: in international form (`+49…`), digits only.
        messengers: `<channel>:<id>`, for instance `telegram:4711`.
        logins: what the person's tokens call their subject (`sub`).
        organization: the id of an organisation.
        tier: what kind of customer, in the installation's own words; `null`: that of the organisation.
        language: a BCP 47 tag.
        notes: for people who work here.
    """

    name: str | None = None
    emails: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    messengers: tuple[str, ...] = ()
    logins: tuple[str, ...] = ()
    organization: str | None = None
    tier: str | None = None
    language: str | None = None
    notes: str | None = None

    @property
    def identities(self) -> tuple[str, ...]:
        """All ids by which tickets may name this person as their requester."""
        return (
            *self.logins,
            *(f"mailto:{email}" for email in self.emails),
            *(f"tel:{phone}" for phone in self.phones),
            *self.messengers,
        )


class Organization(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A company or department that persons belong to.

    `domains`: mail domains in lower case; who writes from one and is nobody's contact yet belongs to it.
    `tier`: of all its persons who have none of their own.
    """

    name: str
    domains: tuple[str, ...] = ()
    tier: str | None = None
    notes: str | None = None


class _ContactEvent(Event, frozen=True, kw_only=True):
    OWNER: ClassVar[Owner] = Owner.INTAKE

    contact_id: UUID

    @property
    def stream_id(self) -> UUID:
        return self.contact_id


class ContactDefined(_ContactEvent, frozen=True, kw_only=True, tag="contact.defined.v1"):
    """A person was made known, or is known differently. `previous` is `null` for the first time."""

    contact: Contact
    previous: Contact | None = None


class ContactMerged(_ContactEvent, frozen=True, kw_only=True, tag="contact.merged.v1"):
    """This person is the same as another one, who has all the addresses now. `contact` is as it was."""

    into_contact_id: UUID
    contact: Contact


class ContactMergeReceived(
    _ContactEvent, frozen=True, kw_only=True, tag="contact.merge_received.v1"
):
    """Another person turned out to be this one. `contact` is the one person, with the addresses of both."""

    from_contact_id: UUID
    contact: Contact
    previous: Contact


class ContactUnmerged(_ContactEvent, frozen=True, kw_only=True, tag="contact.unmerged.v1"):
    """The merge was a mistake: this is a person apart again, with the addresses that were theirs."""

    from_contact_id: UUID
    contact: Contact


class ContactMergeUndone(_ContactEvent, frozen=True, kw_only=True, tag="contact.merge_undone.v1"):
    """A person who had been taken for this one is a person apart again. `contact` is without their addresses."""

    other_contact_id: UUID
    contact: Contact
    previous: Contact


class OrganizationDefined(Event, frozen=True, kw_only=True, tag="organization.defined.v1"):
    """An organisation was made known, or is known differently."""

    OWNER: ClassVar[Owner] = Owner.INTAKE

    organization_id: str
    organization: Organization
    previous: Organization | None = None

    @property
    def stream_id(self) -> UUID:
        return organization_stream(self.organization_id)


def organization_stream(organization_id: str) -> UUID:
    """The stream of an organisation."""
    return derived_id("organization", organization_id)


ContactEvent = (
    ContactDefined
    | ContactMerged
    | ContactMergeReceived
    | ContactUnmerged
    | ContactMergeUndone
    | OrganizationDefined
)
