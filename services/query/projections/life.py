"""Tasks and participants of a ticket, as lists in its row and as rows of their own. Pure."""

from typing import Any

from services.query.projections.writes import Writes
from shared.events.tickets import (
    ParticipantAdded,
    ParticipantRemoved,
    TaskAdded,
    TaskChanged,
    TaskRemoved,
)

Rows = list[dict[str, Any]]


def tasks_after(tasks: Rows, event: TaskAdded | TaskChanged | TaskRemoved, writes: Writes) -> Rows:
    """The tasks with what the event says; the row of the task it speaks of is written as well."""
    task_id = str(event.task_id)
    after = tasks
    match event:
        case TaskAdded():
            task: dict[str, Any] = {
                "task_id": task_id,
                "title": event.title,
                "checklist": event.checklist,
                "owner_id": event.owner_id,
                "owner_name": event.owner_name,
                "due_at": event.due_at,
                "is_done": False,
                "added_at": event.occurred_at,
                "done_at": None,
            }
            after = [*tasks, task]
        case TaskChanged():
            changed = {name: change.value for name, change in event.changes.items()}
            if "is_done" in changed:
                changed["done_at"] = event.occurred_at if changed["is_done"] else None
            after = [{**one, **changed} if one["task_id"] == task_id else one for one in tasks]
        case TaskRemoved():
            after = [one for one in tasks if one["task_id"] != task_id]
            for one in tasks:
                if one["task_id"] == task_id:
                    writes.put_task({**one, "ticket_id": event.ticket_id, "is_removed": True})
    for one in after:
        if one["task_id"] == task_id:
            writes.put_task({**one, "ticket_id": event.ticket_id, "is_removed": False})
    return after


def participants_after(people: Rows, event: ParticipantAdded | ParticipantRemoved) -> Rows:
    """Who takes part, each person once, in the order of coming."""
    match event:
        case ParticipantAdded(person=person):
            others = [one for one in people if one["id"] != person.id]
            added = {
                "id": person.id,
                "name": person.name,
                "email": person.email,
                "role": event.role,
                "is_trusted": event.is_trusted,
            }
            return [*others, added]
        case ParticipantRemoved():
            return [one for one in people if one["id"] != event.person_id]
