"""Tasks and checklists: what is to be done about a ticket, by whom, until when. Also after it has ended."""

from datetime import UTC, datetime
from typing import assert_never

from services.intake.domain import limits
from services.intake.domain.commands import AddTask, ChangeTask, RemoveTask
from services.intake.domain.context import Stamps
from services.intake.domain.refusals import NoSuchTask, TooManyTasks
from services.intake.domain.standing import refuse_merged
from services.intake.domain.ticket import Ticket
from shared.events.tickets import Changed, TaskAdded, TaskChanged, TaskRemoved, TicketEvent


def decide(
    ticket: Ticket, command: AddTask | ChangeTask | RemoveTask, stamps: Stamps
) -> list[TicketEvent]:
    """The change, or nothing when it is so already.

    Raises:
        TicketIsMerged: the tasks are looked after at the ticket that it became part of.
        TooManyTasks, NoSuchTask: see there.
    """
    refuse_merged(ticket)
    match command:
        case AddTask():
            return _add(ticket, command, stamps)
        case ChangeTask():
            return _change(ticket, command, stamps)
        case RemoveTask(task_id=task_id):
            task = ticket.task(task_id)
            if task is None:
                return []
            return [TaskRemoved(**stamps.next(), task_id=task_id, title=task.title)]
        case _:
            assert_never(command)


def _add(ticket: Ticket, command: AddTask, stamps: Stamps) -> list[TicketEvent]:
    if ticket.task(command.task_id) is not None:
        return []
    if len(ticket.tasks) >= limits.TASKS_MAX:
        raise TooManyTasks(limits.TASKS_MAX)
    return [
        TaskAdded(
            **stamps.next(),
            task_id=command.task_id,
            title=command.title,
            checklist=command.checklist,
            owner_id=command.owner_id,
            owner_name=command.owner_name,
            due_at=_utc(command.due_at),
        )
    ]


def _change(ticket: Ticket, command: ChangeTask, stamps: Stamps) -> list[TicketEvent]:
    task = ticket.task(command.task_id)
    if task is None:
        raise NoSuchTask(ticket.number, command.task_id)
    wanted = dict(command.changes)
    if "due_at" in wanted:
        wanted["due_at"] = _utc(wanted["due_at"])
    changes = {
        name: Changed(value=value, previous=getattr(task, name))
        for name, value in wanted.items()
        if value != getattr(task, name)
    }
    if not changes:
        return []
    title = str(wanted.get("title", task.title))
    return [TaskChanged(**stamps.next(), task_id=task.id, title=title, changes=changes)]


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC)
