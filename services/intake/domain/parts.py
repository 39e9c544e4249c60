"""The parts of a ticket's state: its links, tasks, people, questions to the customer, and runs of rules."""

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
from msgspec.structs import replace

from shared.events.satisfaction import SatisfactionRated, Score
from shared.events.tickets import TaskAdded, TaskChanged, TaskRemoved

RULE_RUNS_MAX: Final = 20
"""So many rules may run on one ticket within an hour; the newest are kept to count them."""


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
    """Somebody beside the requester who takes part. `is_trusted`: somebody who works here has let them in."""

    person_id: str
    role: str
    is_trusted: bool = True


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


class RuleRun(msgspec.Struct, frozen=True, gc=False):
    """A rule that ran: when, from which version of the ticket to which, and the rules that led to it."""

    rule: str
    at: datetime
    version: int
    until: int
    after: tuple[str, ...]


def tasks_after(
    tasks: tuple[Task, ...], event: TaskAdded | TaskChanged | TaskRemoved
) -> tuple[Task, ...]:
    """The tasks after one was added, changed or removed."""
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


def surveys_after(surveys: tuple[Survey, ...], event: SatisfactionRated) -> tuple[Survey, ...]:
    """The questions after one was answered."""
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
