"""Many changes as one step: what a macro asks for, the commands that do it, and those that take it back. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from services.intake.domain import limits, placeholders
from services.intake.domain.commands import (
    AddAgentReply,
    AddNote,
    AddParticipant,
    ChangeFields,
    ChangePriority,
    ChangeStatus,
    ChangeTags,
    ChangeType,
    Command,
    ParticipantRole,
    RemoveParticipant,
    Reopen,
    RequestGroup,
    Resolve,
    Together,
)
from services.intake.domain.life_policy import Span
from services.intake.domain.notices import Notice
from services.intake.domain.ticket import Ticket
from shared.errors import FieldError, Invalid
from shared.events import Actor, ActorKind, Priority, StatusCategory
from shared.events.messages import AttachedFile
from shared.events.steps import GroupRequested, NoticeRequested
from shared.events.tickets import (
    AgentReplied,
    FieldsChanged,
    NoteAdded,
    ParticipantAdded,
    Person,
    PriorityChanged,
    StatusChanged,
    TagsChanged,
    TicketEvent,
    TicketReopened,
    TicketResolved,
    TypeChanged,
)
from shared.identifiers import is_slug, new_id

_Text = Annotated[str, Meta(pattern=r"\S", max_length=50_000)]
_Word = Annotated[str, Meta(pattern=r"^[^\r\n]*\S[^\r\n]*$", max_length=limits.WORD_CHARS_MAX)]
_Line = Annotated[str, Meta(pattern=r"^[^\r\n]*\S[^\r\n]*$", max_length=limits.NAME_CHARS_MAX)]
_Words = Annotated[tuple[_Word, ...], Meta(max_length=limits.TAGS_MAX)]

GROUPS_MAX: Final = 100
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ENDING: Final = frozenset({StatusCategory.SOLVED, StatusCategory.CLOSED})


class AnswerFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A file that goes out with a prepared text; whoever names it says its id, the rest is known."""

    id: UUID
    name: str = ""
    content_type: str = ""
    size: int = 0
    sha256: str = ""


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A prepared text: a few words or a whole page, with placeholders.

    Attributes:
        shortcut: what agents type to find it first.
        groups: whose it is; empty: everybody's.
        files: uploaded before, by their ids; they stay with the text from then on.
    """

    title: _Line
    body: _Text
    shortcut: _Word | None = None
    groups: Annotated[tuple[_Word, ...], Meta(max_length=GROUPS_MAX)] = ()
    files: Annotated[tuple[AnswerFile, ...], Meta(max_length=limits.FILES_MAX)] = ()

    def check(self, fields: Mapping[str, Any]) -> None:
        """Raises Invalid naming each placeholder that is none."""
        if wrong := list(placeholders.faults(self.body, fields, "body")):
            raise Invalid("The answer cannot be kept.", errors=wrong)


class Solution(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Solved by the step; `summary` may have placeholders."""

    summary: Annotated[str, Meta(pattern=r"\S", max_length=limits.SUMMARY_CHARS_MAX)]
    code: _Word | None = None


class NewParticipant(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Somebody who takes part: in copy (`cc`), or an agent who is told (`follower`)."""

    id: Annotated[str, Meta(pattern=r"\S", max_length=limits.IDENTITY_CHARS_MAX)]
    role: ParticipantRole
    name: _Line | None = None
    email: Annotated[str, Meta(pattern=r"^\S+@\S+$", max_length=limits.EMAIL_CHARS_MAX)] | None = (
        None
    )


class Actions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What shall be done to a ticket, all or nothing. What is left away stays as it is.

    Attributes:
        reply: a public message. `note`: an internal one. Both may have placeholders.
        status: one of the open categories; instead of it `resolve`.
        fields: custom fields to set; `null` removes one.
        group: the group that routing shall move it to.
        answer: the name of a prepared text, sent as the reply.
        add_participants: who takes part from now on.
        postpone: looked at again after so many hours or days; instead of a status.
        reopen: open again, if it is solved; nothing on a ticket that is open.
        notify: people who work here and are told by mail; rules only.
    """

    reply: _Text | None = None
    note: _Text | None = None
    priority: Priority | None = None
    ticket_type: _Word | None = None
    add_tags: _Words = ()
    remove_tags: _Words = ()
    fields: Annotated[dict[str, Any], Meta(max_length=limits.FIELDS_MAX)] = {}
    status: StatusCategory | None = None
    label: _Word | None = None
    resolve: Solution | None = None
    group: _Word | None = None
    answer: _Word | None = None
    add_participants: Annotated[
        tuple["NewParticipant", ...], Meta(max_length=limits.PARTICIPANTS_MAX)
    ] = ()
    postpone: Span | None = None
    reopen: bool = False
    notify: Notice | None = None

    def faults(self, fields: Mapping[str, Any], place: str) -> list[FieldError]:
        """What of it could never be done."""
        wrong = [
            *placeholders.faults(self.reply, fields, f"{place}.reply"),
            *placeholders.faults(self.note, fields, f"{place}.note"),
        ]
        if self.resolve is not None:
            summary = self.resolve.summary
            wrong += placeholders.faults(summary, fields, f"{place}.resolve.summary")
            if self.status is not None:
                wrong.append(FieldError(f"{place}.status", "cannot be said together with resolve"))
        if self.status in {*_ENDING, StatusCategory.NEW, StatusCategory.POSTPONED}:
            wrong.append(FieldError(f"{place}.status", "expected open, answered, pending or hold"))
        if self.reply is not None and self.answer is not None:
            wrong.append(FieldError(f"{place}.answer", "cannot be said together with reply"))
        wrong += self._postponing_faults(place)
        if self.reopen and (self.status or self.resolve or self.postpone):
            wrong.append(
                FieldError(f"{place}.reopen", "cannot be said together with another status")
            )
        if self.notify is not None:
            wrong += self.notify.faults(fields, f"{place}.notify")
        if self.label is not None and self.status is None:
            wrong.append(FieldError(f"{place}.label", "needs a status"))
        wrong += [
            FieldError(f"{place}.fields.{name}", "is no name of a field")
            for name in self.fields
            if not is_slug(name)
        ]
        if self == Actions():
            wrong.append(FieldError(place, "do nothing at all"))
        return wrong

    def with_answer(self, answer: Answer | None) -> "Actions":
        """With the text of the answer that they name, if they do."""
        return self if answer is None else replace(self, reply=answer.body, answer=None)

    def _postponing_faults(self, place: str) -> Iterator[FieldError]:
        span = self.postpone
        if span is None:
            return
        if self.status is not None or self.resolve is not None:
            yield FieldError(f"{place}.postpone", "cannot be said together with status or resolve")
        if span.business_days is not None or (span.hours is None) is (span.days is None):
            yield FieldError(f"{place}.postpone", "say one of hours, days")
        elif span.after(_EPOCH, None) - _EPOCH > limits.POSTPONED_FOR_MAX:
            yield FieldError(f"{place}.postpone", f"at most {limits.POSTPONED_FOR_MAX.days} days")


class Macro(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Actions under a name. `groups`: who is offered it; empty: everybody."""

    title: _Line
    actions: Actions
    description: Annotated[str, Meta(max_length=limits.REASON_CHARS_MAX)] | None = None
    groups: Annotated[tuple[_Word, ...], Meta(max_length=GROUPS_MAX)] = ()

    def check(self, fields: Mapping[str, Any]) -> None:
        """Raises Invalid naming everything that could never be done."""
        wrong = self.actions.faults(fields, "actions")
        if self.actions.notify is not None:  # by hand it would be a mass mailing under our name
            wrong.append(FieldError("actions.notify", "only rules do"))
        if wrong:
            raise Invalid("The macro cannot be kept.", errors=wrong)


def commands_of(
    actions: Actions,
    ticket: Ticket,
    agent: Actor,
    *,
    group_id: str | None,
    at: datetime,
    files: Sequence[AnswerFile] = (),
) -> Together:
    """The commands, notes first, reply and status last. What no person says is automatic (rule S1).

    Args:
        actions: with their prepared text, if they name one, as `reply`.
        ticket: whose.
        agent: in whose name.
        group_id: the ticket's group as far as we have heard.
        at: now; a postponement counts from it.
        files: of the prepared text; each use of one has an id of its own.
    """
    parts: list[Command] = []
    if actions.reopen and ticket.category in _ENDING:
        parts.append(Reopen(category=StatusCategory.OPEN))
    if actions.note is not None:
        text = placeholders.rendered(actions.note, ticket, agent).text
        parts.append(AddNote(message_id=new_id(), body=text))
    if actions.priority is not None:
        parts.append(ChangePriority(priority=actions.priority))
    if actions.ticket_type is not None:
        parts.append(ChangeType(ticket_type=actions.ticket_type))
    if actions.fields:
        parts.append(ChangeFields(fields=actions.fields))
    if actions.add_tags or actions.remove_tags:
        parts.append(ChangeTags(add=actions.add_tags, remove=actions.remove_tags))
    if actions.group is not None and actions.group != group_id:
        parts.append(RequestGroup(group_id=actions.group, previous_group_id=group_id))
    for one in actions.add_participants:
        person = Person(id=one.id, name=one.name, email=one.email)
        parts.append(AddParticipant(person=person, role=one.role))
    then = _ending(actions, ticket, agent, at)
    if actions.reply is not None:
        text = placeholders.rendered(actions.reply, ticket, agent).text
        parts.append(
            AddAgentReply(
                message_id=new_id(),
                body=text,
                then=then,
                is_automatic=agent.kind is ActorKind.SYSTEM,
                attachments=tuple(
                    AttachedFile(new_id(), one.name, one.content_type, one.size, one.sha256)
                    for one in files
                ),
            )
        )
    elif then is not None:
        parts.append(then)
    return Together(commands=tuple(parts))


def _ending(
    actions: Actions, ticket: Ticket, agent: Actor, at: datetime
) -> ChangeStatus | Resolve | None:
    if actions.resolve is not None:
        summary = placeholders.rendered(actions.resolve.summary, ticket, agent).text
        return Resolve(summary=summary, code=actions.resolve.code)
    if actions.status is not None:
        return ChangeStatus(category=actions.status, label=actions.label)
    if actions.postpone is not None:
        until = actions.postpone.after(at, None)
        return ChangeStatus(category=StatusCategory.POSTPONED, until=until)
    return None


class Undoing(msgspec.Struct, frozen=True):
    """How a step is taken back.

    `kept` names what stays as it is: messages that were written, and what somebody has changed since.
    """

    commands: tuple[Command, ...]
    kept: tuple[str, ...]


def undoing(ticket: Ticket, done: Sequence[TicketEvent], group_id: str | None) -> Undoing:
    """The commands that take back what these events did, as far as it still is as they left it."""
    parts: list[Command] = []
    kept: list[str] = []
    for event in reversed(done):
        part, what = _reverse(ticket, event, group_id)
        if part is not None:
            parts.append(part)
        if what is not None:
            kept.append(what)
    return Undoing(tuple(parts), tuple(kept))


def _reverse(  # noqa: C901, PLR0911, PLR0912 - one arm an event
    ticket: Ticket, event: TicketEvent, group_id: str | None
) -> tuple[Command | None, str | None]:
    match event:
        case PriorityChanged():
            if ticket.priority is not event.priority:
                return None, "priority"
            return ChangePriority(priority=event.previous), None
        case TypeChanged():
            if ticket.ticket_type != event.ticket_type:
                return None, "ticket_type"
            return ChangeType(ticket_type=event.previous), None
        case TagsChanged():
            return ChangeTags(add=event.removed, remove=event.added), None
        case FieldsChanged(changes=changes):
            back = {
                name: change.previous
                for name, change in changes.items()
                if ticket.fields.get(name) == change.value
            }
            others = ", ".join(f"fields.{name}" for name in changes if name not in back)
            return (ChangeFields(fields=back) if back else None), others or None
        case GroupRequested():
            if event.previous_group_id is None or group_id not in {event.group_id, None}:
                return None, "group"
            return RequestGroup(group_id=event.previous_group_id, previous_group_id=group_id), None
        case TicketResolved():
            if ticket.category is not StatusCategory.SOLVED:
                return None, "status"
            return Reopen(category=_reachable(event.previous_category), reason="undone"), None
        case StatusChanged():
            if (ticket.category, ticket.label) != (event.category, event.label):
                return None, "status"
            if event.previous_category is StatusCategory.POSTPONED:
                return None, "status"  # its moment is not ours to choose again
            category = _reachable(event.previous_category)
            return ChangeStatus(category=category, label=event.previous_label), None
        case ParticipantAdded():
            return RemoveParticipant(person_id=event.person.id), None
        case TicketReopened():
            return None, "status"  # nobody would know with which summary it was solved
        case AgentReplied():
            return None, "reply"
        case NoticeRequested():
            return None, "notify"
        case NoteAdded():
            return None, "note"
        case _:
            return None, None


def _reachable(category: StatusCategory) -> StatusCategory:
    """A ticket is new only until it is touched."""
    is_over = category in {*_ENDING, StatusCategory.NEW, StatusCategory.POSTPONED}
    return StatusCategory.OPEN if is_over else category


def changes_of(events: Sequence[TicketEvent]) -> list[dict[str, Any]]:
    """What events would change, for a look before it happens."""
    said: list[dict[str, Any]] = []
    for event in events:
        match event:
            case PriorityChanged() | TypeChanged():
                value = event.priority if isinstance(event, PriorityChanged) else event.ticket_type
                name = "priority" if isinstance(event, PriorityChanged) else "ticket_type"
                said.append({"what": name, "before": event.previous, "after": value})
            case FieldsChanged(changes=changes):
                said += [
                    {"what": f"fields.{name}", "before": one.previous, "after": one.value}
                    for name, one in changes.items()
                ]
            case TagsChanged():
                said.append({"what": "tags", "added": event.added, "removed": event.removed})
            case StatusChanged() | TicketReopened():
                said.append(
                    {"what": "status", "before": event.previous_category, "after": event.category}
                )
            case TicketResolved():
                said.append(
                    {"what": "status", "before": event.previous_category, "after": "solved"}
                )
            case GroupRequested():
                said.append(
                    {"what": "group", "before": event.previous_group_id, "after": event.group_id}
                )
            case ParticipantAdded():
                said.append({"what": "participants", "added": (event.person.id,)})
            case NoticeRequested():
                said.append({"what": "notify", "added": event.to, "after": event.body})
            case AgentReplied() | NoteAdded():
                name = "reply" if isinstance(event, AgentReplied) else "note"
                said.append({"what": name, "after": event.body})
            case _:
                pass
    return said


def events_of_step(history: Sequence[Any], cause: str) -> list[TicketEvent]:
    """What a step did: the events that name its first one as their cause."""
    return [event for event in history if getattr(event, "causation_id", None) == cause]
