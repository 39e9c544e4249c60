"""A filled-in form becomes a ticket, once, if no guard has anything against it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import msgspec

from services.intake import people
from services.intake.app import Asking, Intake, Tx
from services.intake.channels.counting import received
from services.intake.channels.form import guard
from services.intake.channels.form.answers import values
from services.intake.channels.identity import IdentityTokens
from services.intake.channels.installed import Forms
from services.intake.domain import OpenTicket, limits
from services.intake.domain.definitions import FieldDefinition
from services.intake.domain.forms import FormDefinition
from shared.errors import FieldError, Invalid, NotFound
from shared.events import Actor, ActorKind, Channel
from shared.events.messages import AttachedFile
from shared.events.tickets import Person
from shared.eventstore import Claim
from shared.identifiers import new_id

_EMAIL_PARTS: Final = 2


class FormDone(msgspec.Struct, frozen=True):
    """The ticket that came of it."""

    ticket_id: UUID
    number: int


class Sender(msgspec.Struct, frozen=True):
    """Who sent it: the network address, and what the request is followed by."""

    address: str | None
    correlation_id: str


class WebForms:
    """Forms in.

    Args:
        intake: the verbs, and the forms as they are configured.
        settings: the guards' measures.
        identity: verifies who a visitor is said to be.
    """

    def __init__(self, intake: Intake, settings: Forms, identity: IdentityTokens) -> None:
        self.settings = settings
        self._intake = intake
        self._identity = identity

    def form(self, name: str) -> FormDefinition:
        """A public form in use. Raises NotFound."""
        found = self._intake.configuration.house.forms.get(name)
        if found is None or not found.is_active or not found.is_public:
            raise NotFound(f"there is no form {name}")
        return found

    @property
    def fields(self) -> Mapping[str, FieldDefinition]:
        """The custom fields in force."""
        return self._intake.configuration.house.definitions.fields

    def faults(
        self, said: Mapping[str, Sequence[str]], stamp: guard.Stamp | None, now: float
    ) -> list[FieldError]:
        """What the guards have against it, in words for the sender. Nothing that a person wrote is thrown away."""
        settings, found = self.settings, []
        if stamp is None or now - stamp.made_at > settings.lives_hours * 3600:
            found.append(FieldError("", "The page was open for too long. Please send it again."))
        elif now - stamp.made_at < settings.seconds_min:
            found.append(
                FieldError("", "That was very quick. Please wait a moment and send it again.")
            )
        if _first(said, "website"):
            found.append(
                FieldError(
                    "", "A hidden field was filled in, as programs do. Please send it again."
                )
            )
        work = _first(said, "work")[: limits.WORD_CHARS_MAX]
        if not guard.is_worked_out(_first(said, "stamp"), work, settings.proof_of_work_bits):
            found.append(
                FieldError(
                    "", "Your browser had to work something out first. Please send it again."
                )
            )
        if settings.consent and not _first(said, "consent"):
            found.append(FieldError("consent", f"“{settings.consent}” has to be ticked."))
        found += [
            FieldError(name, f"{name} is missing")
            for name in ("subject", "body")
            if not _first(said, name).strip()
        ]
        return found + _too_long(said) + _email_faults(_first(said, "email"))

    async def receive(
        self,
        name: str,
        said: Mapping[str, Sequence[str]],
        stamp: guard.Stamp,
        files: tuple[AttachedFile, ...],
        sender: Sender,
    ) -> FormDone:
        """Open the ticket; the same page sent twice is one.

        Raises:
            Invalid, Forbidden: the form or a field says no, each field by name.
            InvalidToken: a token claims who the visitor is, and it proves nothing.
        """
        form = self.form(name)
        person = self._person(said)
        given = values(form, self.fields, lambda one: said.get(one, ()))
        command = OpenTicket(
            ticket_id=new_id(),
            message_id=new_id(),
            subject=" ".join(_first(said, "subject").split()),
            body=_first(said, "body").replace("\r\n", "\n").strip(),
            requester=person,
            priority=self.settings.priority,
            ticket_type=self.settings.ticket_type,
            tags=self.settings.tags,
            fields=given,
            attachments=files,
            form=name,
        )
        actor = Actor(kind=ActorKind.CUSTOMER, id=person.id, name=person.name, ip=sender.address)
        asking = Asking(
            actor=actor,
            via=Channel.FORM,
            correlation_id=sender.correlation_id,
            own_tickets_of=person.id,
        )
        ours = self.settings.fields

        def work(tx: Tx) -> FormDone:
            # Known by who they are; the address that somebody typed into a form proves nothing.
            known = self._intake.contacts.introduced(
                tx, msgspec.structs.replace(person, email=None)
            )
            requester = msgspec.structs.replace(known, email=person.email or known.email)
            named = msgspec.structs.replace(command, requester=requester)
            event = self._intake.opening(tx, named, asking, beside=ours)
            return FormDone(event.ticket_id, event.number)

        claim = Claim.of("form", stamp.nonce, b"")
        outcome = await self._intake.together(work, FormDone, claim=claim)
        received(Channel.FORM, outcome)
        return outcome.result

    def _person(self, said: Mapping[str, Sequence[str]]) -> Person:
        email = _first(said, "email").strip()
        name = " ".join(_first(said, "name").split()) or None
        if token := _first(said, "identity"):
            known = self._identity.person(token, field="identity")
            return msgspec.structs.replace(
                known, name=known.name or name, email=known.email or email
            )
        return Person(id=people.mailto(email), name=name, email=email)


def _first(said: Mapping[str, Sequence[str]], name: str) -> str:
    found = said.get(name, ())
    return found[0] if found else ""


def _too_long(said: Mapping[str, Sequence[str]]) -> list[FieldError]:
    lengths: list[tuple[str, int, Callable[[str], Any]]] = [
        ("name", limits.NAME_CHARS_MAX, str),
        ("email", limits.EMAIL_CHARS_MAX, str),
        ("subject", limits.SUBJECT_CHARS_MAX, str),
        ("body", limits.BODY_BYTES_MAX, str.encode),
    ]
    return [
        FieldError(name, f"{name} is too long: at most {most}")
        for name, most, measured in lengths
        if len(measured(_first(said, name))) > most
    ]


def _email_faults(said: str) -> list[FieldError]:
    parts = said.strip().split("@")
    is_address = (
        len(parts) == _EMAIL_PARTS and all(parts) and not any(map(str.isspace, said.strip()))
    )
    return [] if is_address else [FieldError("email", "This is no e-mail address.")]


def not_nul(said: Mapping[str, Sequence[str]]) -> None:
    """Raises Invalid: a value holds a NUL character, which no table keeps."""
    for name, found in said.items():
        if "\0" in name or any("\0" in one for one in found):
            raise Invalid.of(
                name.replace("\0", "")[: limits.WORD_CHARS_MAX], "holds a NUL character"
            )
