"""What each action of a scenario does: the same verbs that the service's entrances call."""

from typing import Final, assert_never

import msgspec

from services.routing.domain import commands, escalation, offers, people, why
from services.routing.domain.agent import Agent
from services.routing.domain.cause import Cause
from services.routing.domain.desk import Desk
from services.routing.domain.observing import observe, observe_promise
from services.routing.domain.simulation import scenario as asked
from services.routing.domain.simulation import tickets
from services.routing.domain.simulation.rehearsal import Rehearsal
from services.routing.domain.simulation.setting import levels
from services.routing.domain.ticket import Ticket
from shared.errors import NotFound, Refused
from shared.events.base import Actor, ActorKind, Channel, Event, Stamp, StatusCategory
from shared.events.tickets import TicketEvent

_UNIT: Final = 1.0
"""Of the open load that no ticket of the scenario stands for."""

_SUPERVISOR: Final = Actor(kind=ActorKind.AGENT, id="supervisor", name="The supervisor")


class NothingInHand(Refused):
    """There is no such work that could be finished."""

    title = "Nothing in hand"


class MergedIntoItself(Refused):
    """A ticket goes up in another one, not in itself."""

    title = "Merged into itself"


class Acted(msgspec.Struct, kw_only=True):
    """What was done. `outcome`, `agent`, `code`, `why` tell it where no decision about the ticket does."""

    code: str
    why: str
    ticket: asked.TicketName | None = None
    agent: str | None = None
    outcome: str = "done"
    events: list[Event] = []


class Actions:
    """The actions of one scenario.

    Args:
        rehearsal: where they are done.
        names: of the tickets.
        home: the group of tickets that name none.
    """

    def __init__(self, rehearsal: Rehearsal, names: tickets.Tickets, home: str) -> None:
        self._rehearsal = rehearsal
        self._names = names
        self._home = home

    def do(self, action: asked.Action) -> Acted:  # noqa: C901, PLR0912  # one line each
        """Do it.

        Raises:
            Refused: it cannot be done; nothing has changed then.
        """
        match action:
            case asked.Assign():
                acted = self._assign(action)
            case asked.Unassign():
                acted = self._unassign(action.ticket)
            case asked.Reassign():
                acted = self._reassign(action)
            case asked.Skip():
                acted = self._skip(action)
            case asked.Resolve():
                acted = self._resolve(action)
            case asked.Close():
                acted = self._move(action.ticket, StatusCategory.CLOSED)
            case asked.Spam() | asked.Merge():
                acted = self._discard(action)
            case asked.Reopen():
                acted = self._reopen(action)
            case asked.ChangeStatus():
                acted = self._move(action.ticket, action.category)
            case asked.ChangePriority():
                acted = self._priority(action)
            case asked.ChangeDue():
                acted = self._due(action)
            case asked.ChangeTeam():
                acted = self._team(action)
            case asked.Transfer():
                acted = self._transfer(action.ticket, action.group)
            case asked.Next():
                acted = self._next(action)
            case asked.Accept() | asked.Decline():
                acted = self._answer(action)
            case asked.Expire():
                acted = self._expire(action.ticket)
            case asked.Escalate():
                acted = self._escalate(action)
            case asked.Warn():
                acted = self._warn(action)
            case asked.ChangePresence():
                acted = self._presence(action)
            case asked.ChangeCapacity() | asked.ChangeSkills() | asked.ChangeAccount():
                acted = self._profile(action)
            case asked.Wait():
                acted = Acted(code="wait", why="Time went by.")
            case _:
                assert_never(action)
        return acted

    # Tickets.

    def _assign(self, action: asked.Assign) -> Acted:
        name = self._names.fresh_name() if action.ticket is None else action.ticket
        if not self._names.has(name):
            return self._open(name, action)
        ticket = self._ticket(name)
        if action.agent is not None:
            return self._give(name, ticket, action.agent)
        acted = Acted(ticket=name, agent=ticket.agent_id, outcome="unchanged", code="", why="")
        if not ticket.needs_agent:
            acted.code, acted.why = ticket.category.value, "It needs nobody now."
        elif ticket.agent_id is not None:
            acted.code, acted.why = "already_assigned", f"{ticket.agent_id} has it."
        else:
            # Whatever could be placed is placed after every action, so it waits for the same reasons as before.
            acted.outcome, acted.code = "queued", ticket.refusals.partition(",")[0]
            acted.why = why.nobody(dict.fromkeys(ticket.refusals.split(","), 1))
        return acted

    def _open(self, name: asked.TicketName, action: asked.Assign) -> Acted:
        group = action.group or self._home
        if group not in self._rehearsal.roster.groups:
            raise NotFound(f"there is no group {group}", field="group")
        ticket_id = self._names.next_id()
        event = tickets.opened(ticket_id, action, self._stamp(None))

        def act(desk: Desk) -> None:
            observe(desk, event)
            ticket = desk.ticket(ticket_id)
            ticket.group_id = group
            ticket.skills = levels(action.skills)
            ticket.optional = levels(action.optional_skills)
            ticket.channel = action.channel.value
            if action.customer is None:
                ticket.requester_id = None
            if action.due_at is not None:
                ticket.dues, ticket.due_at = {tickets.SCENARIO: action.due_at}, action.due_at
            if action.agent is not None:
                commands.assign(desk, ticket, action.agent, _cause())

        events = self._rehearsal.at_desk(act)
        self._names.came(name, ticket_id)
        return Acted(ticket=name, code="assign", why="It came.", events=events)

    def _give(self, name: asked.TicketName, ticket: Ticket, agent_id: str) -> Acted:
        if ticket.agent_id == agent_id:
            sentence = f"{agent_id} has it."
            return Acted(
                ticket=name,
                agent=agent_id,
                outcome="unchanged",
                code="already_assigned",
                why=sentence,
            )
        events = self._rehearsal.at_desk(
            lambda desk: commands.assign(desk, ticket, agent_id, _cause()), [ticket]
        )
        return Acted(ticket=name, code="manual", why="It was given by hand.", events=events)

    def _unassign(self, name: asked.TicketName) -> Acted:
        ticket = self._ticket(name)
        if ticket.agent_id is None:
            return Acted(
                ticket=name, outcome="unchanged", code="not_assigned", why="Nobody has it."
            )
        events = self._rehearsal.at_desk(
            lambda desk: commands.unassign(desk, ticket, _cause()), [ticket]
        )
        return Acted(ticket=name, code="manual", why="It was taken away.", events=events)

    def _reassign(self, action: asked.Reassign) -> Acted:
        if action.agent is None:
            return self._unassign(action.ticket)
        return self._give(action.ticket, self._ticket(action.ticket), action.agent)

    def _resolve(self, action: asked.Resolve) -> Acted:
        if action.ticket is not None:
            return self._move(action.ticket, StatusCategory.SOLVED)
        agent = self._agent(action.agent or "")
        held = sum(
            ticket.units
            for ticket in self._rehearsal.tickets.values()
            if agent.agent_id in {ticket.agent_id, ticket.offered_to}
        )
        if agent.load - held < _UNIT:
            raise NothingInHand(
                f"{agent.agent_id} has no open load beside the tickets of this scenario",
                field="agent",
            )
        events = self._rehearsal.at_desk(lambda desk: desk.lighten(agent, _UNIT))
        sentence = f"{why.name_of(agent)} has finished something."
        return Acted(agent=agent.agent_id, code="resolved", why=sentence, events=events)

    def _reopen(self, action: asked.Reopen) -> Acted:
        ticket = self._ticket(action.ticket)
        if ticket.category not in tickets.OVER:
            return _unmoved(action.ticket, ticket)
        return self._move(action.ticket, StatusCategory.OPEN)

    def _move(self, name: asked.TicketName, category: StatusCategory) -> Acted:
        ticket = self._ticket(name)
        if ticket.category is category:
            return _unmoved(name, ticket)
        if ticket.category is StatusCategory.CLOSED and category is not StatusCategory.OPEN:
            raise commands.TicketIsClosed(f"ticket {name} is closed", field="ticket")
        events = self._hear(ticket, tickets.moved(ticket, category, self._stamp(ticket)))
        sentence = f"It is {category.value} now."
        if ticket.needs_agent and ticket.agent_id is not None:
            sentence = f"It is {category.value} now, in the hands of {ticket.agent_id}."
        return Acted(
            ticket=name, agent=ticket.agent_id, code=category.value, why=sentence, events=events
        )

    def _discard(self, action: asked.Spam | asked.Merge) -> Acted:
        ticket = self._ticket(action.ticket)
        if ticket.category is StatusCategory.CLOSED:
            raise commands.TicketIsClosed(f"ticket {action.ticket} is closed", field="ticket")
        stamp = self._stamp(ticket)
        event: TicketEvent
        if isinstance(action, asked.Spam):
            code, event, sentence = "spam", tickets.discarded(ticket, stamp), "It is spam."
        else:
            into = self._rehearsal.tickets[self._names.id_of(action.into, field="into")]
            if into is ticket:
                raise MergedIntoItself("a ticket cannot be merged into itself", field="into")
            code, event = "merged", tickets.merged(ticket, into, stamp)
            sentence = f"It went up in {action.into}."
        events = self._hear(ticket, event)
        return Acted(
            ticket=action.ticket, agent=ticket.agent_id, code=code, why=sentence, events=events
        )

    def _due(self, action: asked.ChangeDue) -> Acted:
        ticket = self._ticket(action.ticket)
        due_at = action.due_at

        def act(desk: Desk) -> None:
            ticket.dues = {} if due_at is None else {tickets.SCENARIO: due_at}
            ticket.due_at = due_at
            desk.changed_tickets[ticket.ticket_id] = ticket

        events = self._rehearsal.at_desk(act, [ticket])
        sentence = (
            "Nothing is promised." if due_at is None else f"It is due at {due_at.isoformat()}."
        )
        return Acted(
            ticket=action.ticket, agent=ticket.agent_id, code="due", why=sentence, events=events
        )

    def _priority(self, action: asked.ChangePriority) -> Acted:
        ticket = self._ticket(action.ticket)
        acted = Acted(
            ticket=action.ticket, agent=ticket.agent_id, code=action.priority.value, why=""
        )
        if ticket.priority is action.priority:
            acted.outcome, acted.why = "unchanged", f"It is {action.priority.value} already."
            return acted
        event = tickets.reprioritised(ticket, action.priority, self._stamp(ticket))
        acted.events = self._hear(ticket, event)
        acted.why = f"It is {action.priority.value} now."
        return acted

    def _answer(self, action: asked.Accept | asked.Decline) -> Acted:
        ticket = self._ticket(action.ticket)
        agent_id = action.agent or ticket.offered_to
        if agent_id is None:
            raise offers.NotOffered("it is offered to nobody", field="ticket")

        def act(desk: Desk) -> None:
            if isinstance(action, asked.Accept):
                offers.accept(desk, ticket, agent_id, _cause())
            else:
                offers.decline(desk, ticket, agent_id, action.reason, _cause())

        events = self._rehearsal.at_desk(act, [ticket])
        sentence = f"{agent_id} has it."
        return Acted(
            ticket=action.ticket,
            agent=agent_id,
            outcome="unchanged",
            code="already_assigned",
            why=sentence,
            events=events,
        )

    def _expire(self, name: asked.TicketName) -> Acted:
        ticket = self._ticket(name)
        if ticket.offered_to is None:
            raise offers.NotOffered("it is offered to nobody", field="ticket")
        events = self._rehearsal.at_desk(
            lambda desk: offers.expire(desk, ticket, _cause()), [ticket]
        )
        return Acted(ticket=name, code="expired", why="The offer has run out.", events=events)

    def _escalate(self, action: asked.Escalate) -> Acted:
        ticket = self._ticket(action.ticket)
        events = self._rehearsal.at_desk(
            lambda desk: escalation.escalate(
                desk, ticket, action.reason, _cause(), group_id=action.group, note=action.note
            ),
            [ticket],
        )
        return Acted(
            ticket=action.ticket, code="escalation", why="It was escalated.", events=events
        )

    def _warn(self, action: asked.Warn) -> Acted:
        ticket = self._ticket(action.ticket)
        event = tickets.warned(ticket, self._stamp(ticket))
        events = self._rehearsal.at_desk(lambda desk: observe_promise(desk, event), [ticket])
        return Acted(
            ticket=action.ticket,
            agent=ticket.agent_id,
            code="sla_warning",
            why="Sla warned.",
            events=events,
        )

    def _skip(self, action: asked.Skip) -> Acted:
        ticket = self._ticket(action.ticket)
        agent_id = action.agent or ticket.agent_id
        if agent_id is None:
            raise NotFound("nobody has it, so it must be said who skips", field="agent")
        events = self._rehearsal.at_desk(
            lambda desk: commands.skip(desk, ticket, agent_id, action.reason, _cause()), [ticket]
        )
        sentence = f"{agent_id} had skipped it already."
        return Acted(
            ticket=action.ticket, outcome="unchanged", code="excluded", why=sentence, events=events
        )

    def _team(self, action: asked.ChangeTeam) -> Acted:
        if action.ticket is not None:
            return self._transfer(action.ticket, action.group or "")
        groups = action.groups or ()
        self._known_groups(groups)
        agent = self._agent(action.agent or "")
        return self._redefine(
            agent, "groups", groups, f"is in {', '.join(groups) or 'no group'} now"
        )

    def _transfer(self, name: asked.TicketName, group: str) -> Acted:
        ticket = self._ticket(name)
        events = self._rehearsal.at_desk(
            lambda desk: commands.change_group(desk, ticket, group, _cause()), [ticket]
        )
        return Acted(
            ticket=name,
            agent=ticket.agent_id,
            outcome="unchanged",
            code="same_group",
            why=f"It belongs to {group} already.",
            events=events,
        )

    def _next(self, action: asked.Next) -> Acted:
        agent = self._agent(action.agent)
        taken: list[Ticket] = []

        def act(desk: Desk) -> None:
            lanes = commands.lanes_for(desk, agent)
            heads = desk.add(self._rehearsal.heads({lane.lane: 1 for lane in lanes}))
            taken.append(commands.pull(desk, agent, heads, _cause()))

        events = self._rehearsal.at_desk(act)
        name = self._names.name_of(taken[0].ticket_id)
        return Acted(ticket=name, code="pull", why="It was asked for.", events=events)

    # Agents.

    def _presence(self, action: asked.ChangePresence) -> Acted:
        agent = self._agent(action.agent)
        word = action.presence.value
        if agent.presence is action.presence and not action.reassign:
            sentence = f"{why.name_of(agent)} is {word} already."
            return Acted(agent=agent.agent_id, outcome="unchanged", code=word, why=sentence)

        def act(desk: Desk) -> None:
            people.choose_presence(desk, agent.agent_id, action.presence, _cause())
            if action.reassign:
                left = self._rehearsal.left_behind(agent.agent_id, list(desk.roster.groups))
                commands.leave_unanswered(desk, agent, desk.add(left), _cause())

        events = self._rehearsal.at_desk(act)
        sentence = f"{why.name_of(agent)} is {word} now."
        return Acted(agent=agent.agent_id, code=word, why=sentence, events=events)

    def _profile(
        self, action: asked.ChangeCapacity | asked.ChangeSkills | asked.ChangeAccount
    ) -> Acted:
        agent = self._agent(action.agent)
        match action:
            case asked.ChangeCapacity():
                limit = (
                    "has no limit" if action.capacity is None else f"may have {action.capacity:g}"
                )
                return self._redefine(agent, "capacity", action.capacity, f"{limit} now")
            case asked.ChangeSkills():
                skills = levels(action.skills)
                words = f"has {', '.join(sorted(skills)) or 'no skills'} now"
                return self._redefine(agent, "skills", skills, words)
            case asked.ChangeAccount():
                words = "works here again" if action.is_active else "no longer works here"
                acted = self._redefine(agent, "is_active", action.is_active, words)
                acted.events += self._rehearsal.relieve()
                return acted

    def _redefine(self, agent: Agent, field: str, value: object, words: str) -> Acted:
        profile = msgspec.structs.replace(agent.profile, **{field: value})
        if profile == agent.profile:
            sentence = f"{why.name_of(agent)}: nothing is different."
            return Acted(agent=agent.agent_id, outcome="unchanged", code=field, why=sentence)
        events = self._rehearsal.at_desk(
            lambda desk: people.change_profile(desk, agent, profile, _cause())
        )
        sentence = f"{why.name_of(agent)} {words}."
        return Acted(agent=agent.agent_id, code=field, why=sentence, events=events)

    # What they share.

    def _ticket(self, name: asked.TicketName) -> Ticket:
        return self._rehearsal.tickets[self._names.id_of(name)]

    def _agent(self, agent_id: str) -> Agent:
        agent = self._rehearsal.roster.agents.get(agent_id)
        if agent is None:
            raise NotFound(f"there is no agent {agent_id}", field="agent")
        return agent

    def _known_groups(self, groups: tuple[str, ...]) -> None:
        for group in groups:
            if group not in self._rehearsal.roster.groups:
                raise NotFound(f"there is no group {group}", field="groups")

    def _hear(self, ticket: Ticket, event: TicketEvent) -> list[Event]:
        return self._rehearsal.at_desk(lambda desk: observe(desk, event), [ticket])

    def _stamp(self, ticket: Ticket | None) -> Stamp:
        return {
            "version": 1 if ticket is None else ticket.ticket_version + 1,
            "occurred_at": self._rehearsal.now,
            "recorded_at": self._rehearsal.now,
            "actor": tickets.INTAKE,
            "via": tickets.VIA,
            "correlation_id": "simulation",
            "causation_id": None,
        }


def _cause() -> Cause:
    return Cause(_SUPERVISOR, Channel.API, "simulation")


def _unmoved(name: asked.TicketName, ticket: Ticket) -> Acted:
    sentence = f"It is {ticket.category.value} already."
    return Acted(
        ticket=name,
        agent=ticket.agent_id,
        outcome="unchanged",
        code=ticket.category.value,
        why=sentence,
    )
