"""Addresses of contacts: make a person known, merge two, undo it; organisations. Reading them is query's part."""

import re
from collections.abc import Callable
from typing import Annotated, Any, Final, TypeVar
from uuid import UUID

import msgspec
from fastapi import APIRouter, Request, Response
from msgspec import Meta

from services.intake import contacts
from services.intake.api.commands import uuid_of
from services.intake.api.words import Email, Identity, Language, Name, Word
from services.intake.app import Intake, Tx
from services.intake.contacts import ContactDocument, OrganizationDocument
from services.intake.domain.contacts import DOMAINS_MAX, IDENTITIES_MAX, NOTES_CHARS_MAX
from shared.clock import Clock
from shared.errors import FieldError, Invalid
from shared.events import Stamp
from shared.events.contacts import Contact, Organization
from shared.http.bodies import json_answer, read_json
from shared.http.conditional import etag, version_expected
from shared.http.idempotency import CommandKey
from shared.http.openapi import openapi_body
from shared.http.origin import Origin
from shared.identifiers import is_slug, new_id
from shared.security import Principal, Role, authenticate

D = TypeVar("D", ContactDocument, OrganizationDocument)

_CREATED: Final = 201
_NOT_DIALLED: Final = re.compile(r"[\s()./-]")
_PHONE: Final = re.compile(r"\+[1-9][0-9]{4,14}")
_MESSENGER: Final = re.compile(r"[a-z][a-z0-9_-]{1,31}:\S{1,200}")
_RESERVED: Final = ("mailto:", "tel:")
_DOMAIN: Final = re.compile(r"[^\s@.]+(\.[^\s@.]+)+")

_Kind = Meta(max_length=IDENTITIES_MAX)
_Phone = Annotated[str, Meta(max_length=40, examples=["+49 30 901820"])]
_Messenger = Annotated[str, Meta(max_length=240, examples=["telegram:4711"])]
_Notes = Annotated[str, Meta(max_length=NOTES_CHARS_MAX)]


class ContactBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A person on the customer's side, whole. `phones` in international form; `logins`: subjects of their tokens."""

    name: Name | None = None
    emails: Annotated[tuple[Email, ...], _Kind] = ()
    phones: Annotated[tuple[_Phone, ...], _Kind] = ()
    messengers: Annotated[tuple[_Messenger, ...], _Kind] = ()
    logins: Annotated[tuple[Identity, ...], _Kind] = ()
    organization: Word | None = None
    tier: Word | None = None
    language: Language | None = None
    notes: _Notes | None = None

    def contact(self) -> Contact:
        """The same with every address in the one form in which it is compared.

        Raises:
            Invalid: names each address that is none, or that there is no name and no address.
        """
        wrong: list[FieldError] = []
        phones = [_NOT_DIALLED.sub("", phone) for phone in self.phones]
        for place, phone in enumerate(phones):
            if not _PHONE.fullmatch(phone):
                wrong.append(
                    FieldError(f"phones[{place}]", "expected the international form: +49 30 901820")
                )
        for place, one in enumerate(self.messengers):
            if not _MESSENGER.fullmatch(one) or one.startswith(_RESERVED):
                wrong.append(FieldError(f"messengers[{place}]", "expected channel:id"))
        for place, login in enumerate(self.logins):
            if login.startswith(_RESERVED):
                wrong.append(FieldError(f"logins[{place}]", "is an address, not a login"))
        if self.organization is not None and not is_slug(self.organization):
            wrong.append(FieldError("organization", "expected the id of an organisation"))
        if self.name is None and not (self.emails or phones or self.messengers or self.logins):
            wrong.append(FieldError("name", "a contact has a name or an address"))
        if wrong:
            raise Invalid("The contact cannot be kept.", errors=wrong)
        return Contact(
            name=self.name,
            emails=_once(email.lower() for email in self.emails),
            phones=_once(phones),
            messengers=_once(self.messengers),
            logins=_once(self.logins),
            organization=self.organization,
            tier=self.tier,
            language=self.language,
            notes=self.notes or None,
        )


class MergeBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The person in the address is the same as `into`, who stays."""

    into: UUID


class OrganizationBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An organisation, whole. `domains`: who writes from one and is no contact yet belongs to it."""

    name: Name
    domains: Annotated[
        tuple[Annotated[str, Meta(max_length=253)], ...], Meta(max_length=DOMAINS_MAX)
    ] = ()
    tier: Word | None = None
    notes: _Notes | None = None

    def organization(self) -> Organization:
        """The same with domains in lower case. Raises Invalid naming each that is none."""
        domains = [domain.lower().rstrip(".") for domain in self.domains]
        wrong = [
            FieldError(f"domains[{place}]", "expected a mail domain such as example.org")
            for place, domain in enumerate(domains)
            if not _DOMAIN.fullmatch(domain)
        ]
        if wrong:
            raise Invalid("The organisation cannot be kept.", errors=wrong)
        return Organization(
            name=self.name, domains=_once(domains), tier=self.tier, notes=self.notes or None
        )


def contacts_router(intake: Intake, clock: Clock) -> APIRouter:
    """All addresses. Agents keep contacts; organisations, which decide promises for many, are for supervisors."""
    router = APIRouter(prefix="/v1", tags=["contacts"])

    async def together(
        request: Request,
        principal: Principal,
        work: Callable[[Tx, Stamp, int | None], D],
        returns: type[D],
        status: int = 200,
    ) -> Response:
        key = CommandKey.of(request, principal)
        claim = None if key is None else key.claim(await request.body())
        now, expected = clock.now(), version_expected(request)
        stamp = Origin.of(request, principal).stamp(0, now, now)
        outcome = await intake.together(lambda tx: work(tx, stamp, expected), returns, claim=claim)
        intake.contacts.is_empty = False
        headers = {"ETag": etag(outcome.result.version)}
        if outcome.replayed:
            headers["Idempotency-Replayed"] = "true"
        if status == _CREATED and isinstance(outcome.result, ContactDocument):
            headers["Location"] = f"/v1/contacts/{outcome.result.contact_id}"
        return json_answer(outcome.result, status=status, headers=headers)

    @router.post("/contacts", status_code=_CREATED, openapi_extra=_said(ContactBody, _CREATED))
    async def add(request: Request) -> Response:
        """Make a person known."""
        principal = await authenticate(request, Role.AGENT)
        contact = (await read_json(request, ContactBody)).contact()
        contact_id = new_id()
        return await together(
            request,
            principal,
            lambda tx, stamp, _: contacts.define(tx, contact_id, contact, stamp),
            ContactDocument,
            _CREATED,
        )

    @router.put("/contacts/{contact_id}", openapi_extra=_said(ContactBody))
    async def put(contact_id: str, request: Request) -> Response:
        """Say anew all that is known of a person; also makes one with an id of your own."""
        principal = await authenticate(request, Role.AGENT)
        which = uuid_of(contact_id, "contact_id")
        contact = (await read_json(request, ContactBody)).contact()
        return await together(
            request,
            principal,
            lambda tx, stamp, expected: contacts.define(
                tx, which, contact, stamp, expected=expected
            ),
            ContactDocument,
        )

    @router.post("/contacts/{contact_id}/merge", openapi_extra=_said(MergeBody))
    async def merge(contact_id: str, request: Request) -> Response:
        """Say that two are one person; the answer is the one that stays. Tickets keep the address they came from."""
        principal = await authenticate(request, Role.AGENT)
        which = uuid_of(contact_id, "contact_id")
        into = (await read_json(request, MergeBody)).into
        return await together(
            request,
            principal,
            lambda tx, stamp, expected: contacts.merge(tx, which, into, stamp, expected=expected),
            ContactDocument,
        )

    @router.post("/contacts/{contact_id}/unmerge", openapi_extra=openapi_body(answer=_CONTACT))
    async def unmerge(contact_id: str, request: Request) -> Response:
        """Undo a merge: the person stands apart again, with the addresses that were theirs."""
        principal = await authenticate(request, Role.AGENT)
        which = uuid_of(contact_id, "contact_id")
        return await together(
            request,
            principal,
            lambda tx, stamp, expected: contacts.unmerge(tx, which, stamp, expected=expected),
            ContactDocument,
        )

    @router.put(
        "/organizations/{organization_id}",
        openapi_extra=openapi_body(OrganizationBody, answer=OrganizationDocument),
    )
    async def put_organization(organization_id: str, request: Request) -> Response:
        """Say anew all that is known of an organisation."""
        principal = await authenticate(request, Role.SUPERVISOR)
        if not is_slug(organization_id):
            raise Invalid.of(
                "path organization_id",
                "must be 1-64 of a-z, 0-9, dot, dash and underscore, beginning with a letter or digit",
            )
        organization = (await read_json(request, OrganizationBody)).organization()
        return await together(
            request,
            principal,
            lambda tx, stamp, expected: contacts.define_organization(
                tx, organization_id, organization, stamp, expected=expected
            ),
            OrganizationDocument,
        )

    return router


_CONTACT: Final = ContactDocument


def _said(body: type[msgspec.Struct], status: int = 200) -> dict[str, Any]:
    return openapi_body(body, answer=_CONTACT, status=status)


def _once(texts: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))
