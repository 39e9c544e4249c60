"""The state of one ticket, as far as the rules need it, and how each event changes it."""

from datetime import datetime
from typing import Any, assert_never
from uuid import UUID

import msgspec
from msgspec.structs import replace

from services.intake.domain.commands import Relation
from shared.events import Channel, Priority, StatusCategory
from shared.events.satisfaction import SatisfactionOffered, SatisfactionRated, Score
from shared.events.tickets import (
    ActionsApplied,
    ActionsUndone,
    AgentReplied,
    CustomerReplied,
    FamilyRuleChanged,
    FieldsChanged,
    GroupRequested,
    MergeReceived,
    MergeUndone,
    MessageNotDelivered,
    MessageRecorded,
    MessageSent,
    MessagesSplit,
    NoteAdded,
    ParticipantAdded,
    ParticipantRemoved,
    Person,
    PriorityChanged,
    SplitUndone,
    StatusChanged,
    SubjectChanged,
    TagsChanged,
    TaskAdded,
    TaskChanged,
    TaskRemoved,
    TicketClosed,
    TicketEvent,
    TicketLinked,
    TicketMerged,
    TicketOpened,
    TicketReopened,
    TicketResolved,
    TicketUnlinked,
    TicketUnmerged,
    TypeChanged,
)


class Link(msgspec.Struct, frozen=True, gc=False):
    """Another ticket, and what it is to this one."""

    ticket_id: UUID
    number: int
    relation: str


class Task(msgspec.Struct, frozen=True, gc=False):
    """Something to do about the ticket, as it stands now."""

    id: UUID
    title: str
    checklist: str | None
    owner_id: str | None
    owner_name: str | None
    due_at: datetime | None
    is_done: bool = False


class Participant(msgspec.Struct, frozen=True, gc=False):
    """Somebody beside the requester who takes part."""

    person_id: str
    role: str


class Split(msgspec.Struct, frozen=True, gc=False):
    """Messages of this ticket that became a ticket of their own."""

    ticket_id: UUID
    number: int
    message_ids: tuple[UUID, ...]


class Survey(msgspec.Struct, frozen=True, gc=False):
    """A question to the customer, and the answer to it as it stands now.

    Attributes:
        resolution_count: which solution it is about.
        policy_group: whose survey policy asks.
        answers_count: how often it was answered; each change counts.
    """

    id: UUID
    resolution_count: int
    expires_at: datetime
    policy_group: str | None = None
    score: Score | None = None
    comment: str | None = None
    reason: str | None = None
    answers_count: int = 0


class Answer(msgspec.Struct, frozen=True, gc=False):
    """A person's answer to the customer: with which version of the ticket, whose, when."""

    version: int
    by_id: str
    by_name: str
    at: datetime


class Ticket(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the rules look at. Messages are not part of it: no rule reads them.

    Attributes:
        requester_id: whose ticket it is; a customer sees only own tickets.
        requester_email: the address a mail of theirs comes from; anybody else's is a third party's.
        until: when postponed, the moment to look again.
        is_waiting_for_us: the customer spoke last and no human has answered.
        last_answer: the newest one of a person who works here.
        summary, code: of the resolution, while solved.
        close_reason: while closed.
        merged_into: the ticket that this one became part of.
        before_merge: the category it had then, which an undo gives back.
        is_internal: among people who work here; no customer ever sees it.
        reopen_until: while solved: a reply reopens it until then.
        close_at: while solved: when it closes by itself.
        has_courtesy: since it ended the customer wrote a mere "thank you".
        solved_by: the name of who solved it, while solved or closed.
        life_group, life_version: the life policy by which it was solved.
        waits_for_children: it is not solved or closed before its children are.
        via: the channel that it came through.
        is_outbound: an agent wrote first.
        is_from_program: it began with a mail that no program may answer (RFC 3834).
        survey_at: while solved or closed: when the requester is asked what they think of it.
    """

    id: UUID
    number: int
    version: int
    requester_id: str
    subject: str
    priority: Priority
    category: StatusCategory
    label: str | None
    ticket_type: str | None
    tags: tuple[str, ...]
    fields: dict[str, Any]
    is_waiting_for_us: bool
    requester_email: str | None = None
    until: datetime | None = None
    resolution_count: int = 0
    reopen_count: int = 0
    summary: str | None = None
    code: str | None = None
    close_reason: str | None = None
    merged_into: UUID | None = None
    merged_into_number: int | None = None
    before_merge: StatusCategory | None = None
    links: tuple[Link, ...] = ()
    is_internal: bool = False
    requester: Person = Person("")
    life_group: str | None = None
    life_version: int | None = None
    reopen_until: datetime | None = None
    close_at: datetime | None = None
    has_courtesy: bool = False
    solved_by: str | None = None
    waits_for_children: bool = False
    tasks: tuple[Task, ...] = ()
    participants: tuple[Participant, ...] = ()
    splits: tuple[Split, ...] = ()
    last_answer: Answer | None = None
    via: Channel = Channel.API
    is_outbound: bool = False
    is_from_program: bool = False
    survey_at: datetime | None = None
    surveys: tuple[Survey, ...] = ()

    @property
    def parent(self) -> Link | None:
        """The link to the ticket that this one is a part of."""
        return next((link for link in self.links if link.relation == Relation.PARENT), None)

    def link_to(self, other_ticket_id: UUID) -> Link | None:
        """The link to that ticket, if there is one."""
        return next((link for link in self.links if link.ticket_id == other_ticket_id), None)

    @property
    def children(self) -> tuple[Link, ...]:
        """The links to the tickets that are parts of this one."""
        return tuple(link for link in self.links if link.relation == Relation.CHILD)

    def task(self, task_id: UUID) -> Task | None:
        """That task, if there is one."""
        return next((task for task in self.tasks if task.id == task_id), None)

    def survey(self, survey_id: UUID | None) -> Survey | None:
        """That question, or with None the newest; None when it was not asked."""
        found = (one for one in reversed(self.surveys) if survey_id in {one.id, None})
        return next(found, None)

    def split_into(self, ticket_id: UUID) -> Split | None:
        """The split that made that ticket, if one did."""
        return next((split for split in self.splits if split.ticket_id == ticket_id), None)


def evolve(ticket: Ticket | None, event: TicketEvent) -> Ticket:  # noqa: C901, PLR0911, PLR0912 - one arm an event
    """The ticket after the event. Never fails: it has already happened.

    `ticket` is the state before; `None` only before `TicketOpened`.
    """
    if isinstance(event, TicketOpened):
        return _opened(event)
    assert ticket is not None, "a stream begins with TicketOpened"
    version = event.version
    match event:
        case CustomerReplied():
            if event.courtesy is not None:
                return replace(ticket, version=version, has_courtesy=True)
            return replace(ticket, version=version, is_waiting_for_us=True)
        case AgentReplied():
            if event.is_automatic:
                return replace(ticket, version=version)
            by = event.actor
            answer = Answer(version, by.id, by.name or by.id, event.occurred_at)
            return replace(ticket, version=version, is_waiting_for_us=False, last_answer=answer)
        case (
            NoteAdded()
            | MessageRecorded()
            | MessageSent()
            | MessageNotDelivered()
            | ActionsApplied()
            | ActionsUndone()
            | GroupRequested()
        ):
            return replace(ticket, version=version)
        case StatusChanged():
            return replace(
                ticket,
                version=version,
                category=event.category,
                label=event.label,
                until=event.until,
            )
        case PriorityChanged():
            return replace(ticket, version=version, priority=event.priority)
        case TypeChanged():
            return replace(ticket, version=version, ticket_type=event.ticket_type)
        case SubjectChanged():
            return replace(ticket, version=version, subject=event.subject)
        case FieldsChanged():
            return replace(ticket, version=version, fields=_with_changes(ticket.fields, event))
        case TagsChanged():
            return replace(ticket, version=version, tags=event.tags)
        case TicketResolved():
            return replace(
                ticket,
                version=version,
                category=StatusCategory.SOLVED,
                label=None,
                until=None,
                resolution_count=event.resolution_count,
                summary=event.summary,
                code=event.code,
                reopen_until=event.reopen_until,
                close_at=event.close_at,
                life_group=event.life_group,
                life_version=event.life_version,
                solved_by=event.actor.name,
                has_courtesy=False,
                survey_at=event.survey_at,
            )
        case TicketClosed():
            return replace(
                ticket,
                version=version,
                category=StatusCategory.CLOSED,
                label=None,
                until=None,
                summary=None,
                code=None,
                reopen_until=None,
                close_at=None,
                close_reason=event.reason,
            )
        case TicketReopened():
            return replace(
                ticket,
                version=version,
                category=event.category,
                label=None,
                until=None,
                reopen_count=event.reopen_count,
                summary=None,
                code=None,
                reopen_until=None,
                close_at=None,
                solved_by=None,
                has_courtesy=False,
                close_reason=None,
                survey_at=None,
            )
        case TicketMerged():
            return replace(
                ticket,
                version=version,
                category=StatusCategory.CLOSED,
                label=None,
                until=None,
                is_waiting_for_us=False,
                reopen_until=None,
                close_at=None,
                survey_at=None,
                merged_into=event.into_ticket_id,
                merged_into_number=event.into_number,
                before_merge=event.previous_category,
            )
        case TicketUnmerged():
            return replace(
                ticket,
                version=version,
                category=event.category,
                merged_into=None,
                merged_into_number=None,
                before_merge=None,
                is_waiting_for_us=event.category in {StatusCategory.NEW, StatusCategory.OPEN},
            )
        case MergeUndone():
            return replace(ticket, version=version)
        case MessagesSplit():
            split = Split(event.into_ticket_id, event.into_number, event.message_ids)
            return replace(ticket, version=version, splits=(*ticket.splits, split))
        case SplitUndone():
            splits = tuple(one for one in ticket.splits if one.ticket_id != event.into_ticket_id)
            return replace(ticket, version=version, splits=splits)
        case FamilyRuleChanged():
            return replace(ticket, version=version, waits_for_children=event.waits_for_children)
        case TaskAdded() | TaskChanged() | TaskRemoved():
            return replace(ticket, version=version, tasks=_tasks_after(ticket.tasks, event))
        case ParticipantAdded():
            added = Participant(event.person.id, event.role)
            others = (one for one in ticket.participants if one.person_id != added.person_id)
            return replace(ticket, version=version, participants=(*others, added))
        case ParticipantRemoved():
            left = tuple(one for one in ticket.participants if one.person_id != event.person_id)
            return replace(ticket, version=version, participants=left)
        case SatisfactionOffered():
            survey = Survey(
                event.survey_id, event.resolution_count, event.expires_at, event.policy_group
            )
            return replace(
                ticket, version=version, survey_at=None, surveys=(*ticket.surveys, survey)
            )
        case SatisfactionRated():
            return replace(ticket, version=version, surveys=_surveys_after(ticket.surveys, event))
        case MergeReceived():
            is_waiting = ticket.is_waiting_for_us or event.has_open_customer_message
            return replace(ticket, version=version, is_waiting_for_us=is_waiting)
        case TicketLinked():
            link = Link(event.other_ticket_id, event.other_number, event.relation)
            return replace(ticket, version=version, links=(*ticket.links, link))
        case TicketUnlinked():
            links = tuple(link for link in ticket.links if link.ticket_id != event.other_ticket_id)
            return replace(ticket, version=version, links=links)
        case _:
            assert_never(event)


def _opened(event: TicketOpened) -> Ticket:
    return Ticket(
        id=event.ticket_id,
        number=event.number,
        version=event.version,
        requester_id=event.requester.id,
        requester_email=event.requester.email,
        subject=event.subject,
        priority=event.priority,
        category=event.category,
        label=event.label,
        ticket_type=event.ticket_type,
        tags=event.tags,
        fields=event.fields,
        is_waiting_for_us=not (event.is_outbound or event.is_internal),
        is_internal=event.is_internal,
        requester=event.requester,
        via=event.via,
        is_outbound=event.is_outbound,
        is_from_program=event.mail is not None and event.mail.no_answer_reason is not None,
    )


def _surveys_after(surveys: tuple[Survey, ...], event: SatisfactionRated) -> tuple[Survey, ...]:
    return tuple(
        replace(
            one,
            score=event.score,
            comment=event.comment,
            reason=event.reason,
            answers_count=one.answers_count + 1,
        )
        if one.id == event.survey_id
        else one
        for one in surveys
    )


def _tasks_after(
    tasks: tuple[Task, ...], event: TaskAdded | TaskChanged | TaskRemoved
) -> tuple[Task, ...]:
    match event:
        case TaskAdded():
            added = Task(
                event.task_id,
                event.title,
                event.checklist,
                event.owner_id,
                event.owner_name,
                event.due_at,
            )
            return (*tasks, added)
        case TaskChanged():
            values = {name: changed.value for name, changed in event.changes.items()}
            if isinstance(due_at := values.get("due_at"), str):  # as it comes back from the store
                values["due_at"] = datetime.fromisoformat(due_at)
            return tuple(
                replace(task, **values) if task.id == event.task_id else task for task in tasks
            )
        case TaskRemoved():
            return tuple(task for task in tasks if task.id != event.task_id)


def _with_changes(fields: dict[str, Any], event: FieldsChanged) -> dict[str, Any]:
    after = fields | {name: changed.value for name, changed in event.changes.items()}
    return {name: value for name, value in after.items() if value is not None}
