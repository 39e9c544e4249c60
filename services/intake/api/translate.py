"""From the words of the wire to the words of the domain, with what each role may say."""

import re
from datetime import datetime
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from services.intake import people
from services.intake.api import bodies
from services.intake.api.words import check_fields
from services.intake.app import Asking
from services.intake.domain import Command, OpenTicket, commands, limits
from services.intake.reshaping import ChildrenComment
from shared.errors import FieldError, Forbidden, Invalid
from shared.events import ActorKind, StatusCategory
from shared.events.tickets import Person
from shared.eventstore import Claim
from shared.http.origin import Origin
from shared.identifiers import new_id
from shared.security import Principal, Role

_UTF8_BYTES_PER_CHAR_MAX = 4
_NOT_DIGITS = re.compile(r"\D")


def asking(
    body: bodies.Asked,
    origin: Origin,
    *,
    now: datetime,
    if_match: int | None = None,
    claim: Claim | None = None,
) -> Asking:
    """Who asks, as the verbs want to know it.

    Raises:
        Forbidden: the caller may not speak for others or about the past.
        Invalid: `If-Match` and `expected_version` differ, or a moment lies in the future.
    """
    if body.via is not None or body.occurred_at is not None:
        origin, occurred_at = origin.through(body.via, body.occurred_at, now=now)
    else:
        occurred_at = now
    principal = origin.principal
    return Asking(
        actor=origin.actor if body.actor is None else _spoken_for(body.actor, principal).to_actor(),
        via=origin.via,
        correlation_id=origin.correlation_id,
        occurred_at=None if body.occurred_at is None else occurred_at,
        own_tickets_of=principal.id if principal.is_customer else None,
        own_addresses=principal.addresses if principal.is_customer else (),
        expected_version=_expected(body.expected_version, if_match),
        claim=claim,
    )


def opening(body: bodies.Open, principal: Principal) -> OpenTicket:
    """The command to open a ticket.

    Raises:
        Forbidden: a customer said what only people who work here may say.
        Invalid: nobody is named as the requester, or the body is too long.
    """
    if principal.is_customer:
        requester = _own(body, principal)
    elif body.requester is not None:
        requester = _person(body.requester)
    elif body.is_internal:
        requester = Person(id=principal.id, name=principal.name, email=principal.email)
    elif body.actor is not None and body.actor.kind is ActorKind.CUSTOMER:
        requester = Person(id=body.actor.id, name=body.actor.name)
    else:
        raise Invalid.of("requester", "is needed: for which customer is this ticket?")
    check_fields(body.fields)
    return OpenTicket(
        ticket_id=new_id(),
        message_id=new_id(),
        subject=body.subject,
        body=_bounded(body.body),
        requester=requester,
        priority=body.priority,
        category=body.category,
        label=body.label,
        ticket_type=body.ticket_type,
        tags=body.tags,
        fields=body.fields,
        language=body.language,
        is_outbound=body.is_outbound,
        external_id=body.external_id,
        is_internal=body.is_internal,
        form=body.form,
    )


def reply(
    body: bodies.Reply, principal: Principal
) -> commands.AddCustomerReply | commands.AddAgentReply:
    """The customer's or the agent's reply, by the side on which the speaker stands.

    Raises:
        Forbidden: a customer said what only people who work here may say.
        Invalid: both `status` and `resolve`, or the customer's side says either.
    """
    is_customer = principal.is_customer or (
        body.actor is not None and body.actor.kind is ActorKind.CUSTOMER
    )
    text = _bounded(body.body)
    if is_customer:
        for name in ("status", "resolve", "is_automatic", "sources"):
            if getattr(body, name) not in (None, ()):
                raise Forbidden("The customer's side only writes.", field=name)
        return commands.AddCustomerReply(message_id=new_id(), body=text, quotes=body.quotes)
    if body.status is not None and body.resolve is not None:
        raise Invalid.of("resolve", "cannot be said together with `status`")
    is_machine = principal.role is Role.SERVICE and body.actor is None
    return commands.AddAgentReply(
        message_id=new_id(),
        body=text,
        is_automatic=is_machine if body.is_automatic is None else body.is_automatic,
        then=_then(body),
        quotes=body.quotes,
        seen_version=body.seen_version,
        sources=tuple(one.to_prepared() for one in body.sources),
    )


def note(body: bodies.Note) -> commands.AddNote:
    """An internal note."""
    return commands.AddNote(message_id=new_id(), body=_bounded(body.body), quotes=body.quotes)


def patch(body: bodies.Patch) -> Command:
    """All the changes of a PATCH as one command: what is said about the ticket first, the status last.

    Raises:
        Invalid: it changes nothing at all.
    """
    parts: list[Command] = []
    if not isinstance(body.subject, UnsetType):
        parts.append(commands.ChangeSubject(subject=body.subject))
    if not isinstance(body.priority, UnsetType):
        parts.append(commands.ChangePriority(priority=body.priority))
    if not isinstance(body.ticket_type, UnsetType):
        parts.append(commands.ChangeType(ticket_type=body.ticket_type))
    if not isinstance(body.fields, UnsetType):
        check_fields(body.fields)
        parts.append(commands.ChangeFields(fields=body.fields))
    if body.tags is not UNSET or body.add_tags or body.remove_tags:
        tags = None if isinstance(body.tags, UnsetType) else body.tags
        parts.append(commands.ChangeTags(tags=tags, add=body.add_tags, remove=body.remove_tags))
    if not isinstance(body.status, UnsetType):
        parts.append(_status(body.status))
    if not parts:
        names = "subject, priority, ticket_type, fields, tags, add_tags, remove_tags, status"
        raise Invalid("nothing to change", errors=[FieldError("", f"expected one of {names}")])
    return parts[0] if len(parts) == 1 else commands.Together(commands=tuple(parts))


def resolve(body: bodies.Resolve | bodies.Resolution) -> commands.Resolve:
    """Solved."""
    return commands.Resolve(summary=body.summary, code=body.code)


def close(body: bodies.Close) -> commands.Close:
    """Closed."""
    return commands.Close(reason=body.reason)


def reopen(body: bodies.Reopen, principal: Principal) -> commands.Reopen:
    """Taken up again. A customer does not choose the status.

    Raises:
        Forbidden: a customer named a category.
    """
    if principal.is_customer and body.category is not StatusCategory.OPEN:
        raise Forbidden("A customer reopens a ticket as open.", field="category")
    return commands.Reopen(category=body.category, reason=body.reason)


def comment(body: bodies.Comment) -> ChildrenComment:
    """What is written on the children."""
    return ChildrenComment(body=_bounded(body.body), is_public=body.is_public)


def task(body: bodies.Task) -> commands.AddTask:
    """One task."""
    return commands.AddTask(
        task_id=new_id(),
        title=body.title,
        checklist=body.checklist,
        owner_id=body.owner,
        owner_name=body.owner_name,
        due_at=body.due_at,
    )


def checklist(body: bodies.Checklist) -> Command:
    """All items of a list, added together."""
    return commands.Together(
        commands=tuple(
            commands.AddTask(
                task_id=new_id(),
                title=title,
                checklist=body.name,
                owner_id=body.owner,
                owner_name=body.owner_name,
                due_at=body.due_at,
            )
            for title in body.items
        )
    )


def task_change(task_id: UUID, body: bodies.TaskPatch) -> commands.ChangeTask:
    """What changes about a task. Another owner has another name, or none that we know.

    Raises:
        Invalid: it changes nothing at all.
    """
    said = {
        "title": body.title,
        "checklist": body.checklist,
        "owner_id": body.owner,
        "owner_name": body.owner_name,
        "due_at": body.due_at,
        "is_done": body.is_done,
    }
    changes = {name: value for name, value in said.items() if value is not UNSET}
    if "owner_id" in changes:
        changes.setdefault("owner_name", None)
    if not changes:
        names = "title, checklist, owner, owner_name, due_at, is_done"
        raise Invalid("nothing to change", errors=[FieldError("", f"expected one of {names}")])
    return commands.ChangeTask(task_id=task_id, changes=changes)


def participant(body: bodies.Participant) -> commands.AddParticipant:
    """Somebody takes part."""
    return commands.AddParticipant(person=_person(body.person), role=body.role)


def _then(body: bodies.Reply) -> commands.ChangeStatus | commands.Resolve | None:
    if body.status is not None:
        return _status(body.status)
    return None if body.resolve is None else resolve(body.resolve)


def _status(body: bodies.Status) -> commands.ChangeStatus:
    return commands.ChangeStatus(category=body.category, label=body.label, until=body.until)


def _own(body: bodies.Open, principal: Principal) -> Person:
    said = msgspec.structs.asdict(body)
    for name in ("category", "label", "tags", "is_outbound", "external_id", "is_internal"):
        if said[name]:
            raise Forbidden("Only people who work here may say this.", field=name)
    given = body.requester
    if given is not None and given.id not in {None, principal.id}:
        raise Forbidden("A customer opens own tickets only.", field="requester.id")
    if given is not None and given.tier is not None:
        raise Forbidden("Only people who work here may say this.", field="requester.tier")
    # Who it is comes from the token; only what the token does not know may be said.
    return Person(
        id=principal.id,
        name=principal.name or (given.name if given else None),
        email=principal.email or (given.email if given else None),
        organization=given.organization if given else None,
    )


def _person(given: bodies.Requester) -> Person:
    return Person(
        id=given.id or addresses_of(given)[0],
        name=given.name,
        email=given.email,
        organization=given.organization,
        tier=given.tier,
    )


def addresses_of(given: bodies.Requester) -> list[str]:
    """By what the person may be known, the surest first.

    Raises:
        Invalid: neither `id` nor an address is said.
    """
    found = [] if given.phone is None else [people.tel("+" + _NOT_DIGITS.sub("", given.phone))]
    if given.email is not None:
        found.append(people.mailto(given.email))
    if not found and given.id is None:
        raise Invalid.of("requester", "say an id, a phone number or an e-mail address")
    return found


def _spoken_for(given: bodies.SpokenFor, principal: Principal) -> bodies.SpokenFor:
    if not principal.may_backdate:
        raise Forbidden("Only machine accounts and admins may act for others.", field="actor")
    if given.kind is ActorKind.SYSTEM:
        raise Invalid.of("actor.kind", "`system` is what the product does by itself")
    return given


def _expected(said: int | None, if_match: int | None) -> int | None:
    if said is not None and if_match is not None and said != if_match:
        raise Invalid.of("expected_version", "differs from the header If-Match")
    return if_match if said is None else said


def _bounded(text: str) -> str:
    if len(text) * _UTF8_BYTES_PER_CHAR_MAX > limits.BODY_BYTES_MAX:  # else it cannot be too long
        size = len(text.encode())
        if size > limits.BODY_BYTES_MAX:
            raise Invalid.of(
                "body", f"is {size} bytes of UTF-8; at most {limits.BODY_BYTES_MAX} are taken"
            )
    return text
