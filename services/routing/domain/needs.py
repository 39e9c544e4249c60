"""What a ticket asks of an agent: the room that it takes, the skills, and who may help out (R5, R7). Pure."""

from datetime import datetime, timedelta
from typing import Final

from services.routing.domain.choice import Demand
from services.routing.domain.roster import Roster
from services.routing.domain.ticket import Ticket
from shared.events.agents import CapacityUnits, WideningStep

_THOUSANDTHS: Final = 3
"""Units are rounded to this many places, so that what was taken can be given back exactly enough."""


def demand_of(ticket: Ticket, roster: Roster) -> Demand:
    """What it asks of an agent now."""
    excluded = ticket.excluded
    if ticket.declined:
        excluded = tuple(sorted({*excluded, *ticket.declined}))
    skills = ticket.skills
    steps = steps_taken(ticket, roster)
    if steps:
        dropped = relaxed(steps)
        skills = {name: level for name, level in skills.items() if name not in dropped}
    return Demand(
        ticket.group_id,
        tuple(sorted(skills.items())) if skills else (),
        excluded,
        ticket.strategy,
        ticket.channel,
        units_of(ticket, roster),
        tuple(sorted(ticket.optional.items())) if ticket.optional else (),
        overflow(steps, ticket.group_id) if steps else (),
    )


def units_of(ticket: Ticket, roster: Roster) -> float:
    """The room that it takes while it needs an agent, by its group's units or those of the settings."""
    group = roster.groups.get(ticket.group_id) if ticket.group_id is not None else None
    units = (group.profile.units if group is not None else None) or roster.settings.units
    return taken_by(units, ticket)


def taken_by(units: CapacityUnits, ticket: Ticket) -> float:
    """The room by these units."""
    room = units.channels.get(ticket.channel, units.default)
    if units.priorities:
        room *= units.priorities.get(ticket.priority.value, 1.0)
    if units.states:
        room *= units.states.get(ticket.category.value, 1.0)
    return round(room, _THOUSANDTHS)


def widening_of(ticket: Ticket, roster: Roster) -> tuple[WideningStep, ...]:
    """All steps of its group, earliest first."""
    group = roster.groups.get(ticket.group_id) if ticket.group_id is not None else None
    return group.profile.widening if group is not None else ()


def step_at(ticket: Ticket, roster: Roster, now: datetime) -> int:
    """How many steps it will have taken by this moment; never fewer than it has."""
    steps, step = widening_of(ticket, roster), ticket.step
    if ticket.waits_since is not None:
        waited = now - ticket.waits_since
        while step < len(steps) and timedelta(seconds=steps[step].after_seconds) <= waited:
            step += 1
    return step


def overdue_at(ticket: Ticket, roster: Roster) -> datetime | None:
    """When it will have waited longer than its group allows (R3); None when it never does, or needs nobody."""
    group = roster.groups.get(ticket.group_id) if ticket.group_id is not None else None
    seconds = group.profile.wait_seconds_max if group is not None else None
    if seconds is None or ticket.queued_at is None:
        return None
    return ticket.queued_at + timedelta(seconds=seconds)


def overdue_since(ticket: Ticket, roster: Roster, now: datetime) -> datetime | None:
    """When its wait began, if that is longer ago than its group allows."""
    limit = overdue_at(ticket, roster)
    return ticket.queued_at if limit is not None and limit <= now else None


def steps_taken(ticket: Ticket, roster: Roster) -> tuple[WideningStep, ...]:
    """The steps that it has taken in this wait."""
    return widening_of(ticket, roster)[: ticket.step] if ticket.step else ()


def relaxed(steps: tuple[WideningStep, ...]) -> tuple[str, ...]:
    """Skills that are no longer asked after these steps, in the order in which they were given up."""
    return tuple(dict.fromkeys(skill for step in steps for skill in step.relax))


def overflow(steps: tuple[WideningStep, ...], group_id: str | None) -> tuple[str, ...]:
    """Secondary groups that are looked at after these steps, in their order."""
    named = dict.fromkeys(group for step in steps for group in step.overflow)
    return tuple(group for group in named if group != group_id)
