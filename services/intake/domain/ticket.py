"""The state of one ticket, as far as the rules need it, and how each event changes it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, assert_never
from uuid import UUID

import msgspec
from msgspec.structs import replace

from services.intake.domain.commands import Relation
from services.intake.domain.parts import (
    RULE_RUNS_MAX,
    Answer,
    Link,
    Participant,
    RuleRun,
    Split,
    Survey,
    Task,
    surveys_after,
    tasks_after,
)
from shared.events import Channel, Priority, StatusCategory
from shared.events.satisfaction import SatisfactionOffered, SatisfactionRated
from shared.events.steps import (
    ActionsApplied,
    ActionsUndone,
    GroupRequested,
    NoticeRequested,
    RuleApplied,
    RuleNotApplied,
)
from shared.events.tickets import (
    AgentReplied,
    CustomerReplied,
    FamilyRuleChanged,
    FieldsChanged,
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

_NOBODY: Final = frozenset({Channel.IMPORT, Channel.SYSTEM})
"""Ways by which nobody touches a ticket here."""


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
        opened_at, first_answer_at, customer_wrote_at, solved_at: moments that time rules count from; the last one
            only while it is solved.
        rule_runs: the newest runs of rules, oldest first, at most `RULE_RUNS_MAX`.
        rules_done: rules that ran here, each with the moment that it counted from, or when it ran.
        rules_stopped_at: when it was last said that too many rules ran.
        is_imported: it came as history from elsewhere, and nobody has touched it here.
        sending: the versions before and after the newest run of events that only tell of what has left to the customer.
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
    language: str | None = None
    opened_at: datetime | None = None
    first_answer_at: datetime | None = None
    customer_wrote_at: datetime | None = None
    solved_at: datetime | None = None
    rule_runs: tuple[RuleRun, ...] = ()
    rules_done: Mapping[str, datetime] = {}
    rules_stopped_at: datetime | None = None
    is_imported: bool = False
    sending: tuple[int, int] = (0, 0)

    @property
    def version_of_news(self) -> int:
        """Whoever has seen the ticket from this version on has seen everything that matters to a decision.

        That an answer or a survey has left is told on the ticket, and nobody decides otherwise for it.
        """
        before, after = self.sending
        return before if after == self.version else self.version

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

    def participant(self, person_id: str) -> Participant | None:
        """That person's part, if they have one."""
        return next((one for one in self.participants if one.person_id == person_id), None)

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
    if ticket.is_imported and event.via not in _NOBODY:
        ticket = replace(ticket, is_imported=False)
    version = event.version
    match event:
        case CustomerReplied():
            if event.courtesy is not None:
                return replace(ticket, version=version, has_courtesy=True)
            return replace(
                ticket,
                version=version,
                is_waiting_for_us=True,
                customer_wrote_at=event.occurred_at,
            )
        case AgentReplied():
            if event.is_automatic:
                return replace(ticket, version=version)
            by = event.actor
            answer = Answer(version, by.id, by.name or by.id, event.occurred_at)
            return replace(
                ticket,
                version=version,
                is_waiting_for_us=False,
                last_answer=answer,
                first_answer_at=ticket.first_answer_at or event.occurred_at,
            )
        case (
            NoteAdded()
            | MessageRecorded()
            | MessageNotDelivered()
            | ActionsApplied()
            | ActionsUndone()
            | GroupRequested()
            | NoticeRequested()
        ):
            return replace(ticket, version=version)
        case MessageSent():
            return replace(ticket, version=version, sending=(ticket.version_of_news, version))
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
                solved_at=event.occurred_at,
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
                solved_at=None,
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
            return replace(ticket, version=version, tasks=tasks_after(ticket.tasks, event))
        case ParticipantAdded():
            added = Participant(event.person.id, event.role, event.is_trusted)
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
                ticket,
                version=version,
                survey_at=None,
                surveys=(*ticket.surveys, survey),
                sending=(ticket.version_of_news, version),
            )
        case SatisfactionRated():
            return replace(ticket, version=version, surveys=surveys_after(ticket.surveys, event))
        case MergeReceived():
            is_waiting = ticket.is_waiting_for_us or event.has_open_customer_message
            return replace(ticket, version=version, is_waiting_for_us=is_waiting)
        case TicketLinked():
            link = Link(event.other_ticket_id, event.other_number, event.relation)
            return replace(ticket, version=version, links=(*ticket.links, link))
        case TicketUnlinked():
            links = tuple(link for link in ticket.links if link.ticket_id != event.other_ticket_id)
            return replace(ticket, version=version, links=links)
        case RuleApplied() | RuleNotApplied():
            return _ruled(ticket, event)
        case _:
            assert_never(event)


def _ruled(ticket: Ticket, event: RuleApplied | RuleNotApplied) -> Ticket:
    """A rule had its turn. One that was kept from running by the pace of rules has its turn still."""
    version, at = event.version, event.occurred_at
    if isinstance(event, RuleNotApplied):
        if event.why == "rate":
            return replace(ticket, version=version, rules_stopped_at=at)
        if event.anchor_at is None:
            return replace(ticket, version=version)
        done = {**ticket.rules_done, event.rule: event.anchor_at}
        return replace(ticket, version=version, rules_done=done)
    run = RuleRun(event.rule, at, version, event.until_version, event.after)
    return replace(
        ticket,
        version=version,
        rule_runs=(*ticket.rule_runs, run)[-RULE_RUNS_MAX:],
        rules_done={**ticket.rules_done, event.rule: event.anchor_at or at},
    )


def _opened(event: TicketOpened) -> Ticket:
    wrote = None if event.is_outbound or event.is_internal else event.occurred_at
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
        language=event.language,
        opened_at=event.occurred_at,
        customer_wrote_at=wrote,
        first_answer_at=event.occurred_at if event.is_outbound else None,
        is_imported=event.via is Channel.IMPORT,
    )


def _with_changes(fields: dict[str, Any], event: FieldsChanged) -> dict[str, Any]:
    after = fields | {name: changed.value for name, changed in event.changes.items()}
    return {name: value for name, value in after.items() if value is not None}
