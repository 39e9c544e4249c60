"""What happens to tickets elsewhere, and what it means for who has them (R2, R3, R12)."""

from datetime import datetime
from typing import Final, assert_never

import msgspec

from services.routing.domain import trail, triage, why
from services.routing.domain.agent import ABSENT, Agent
from services.routing.domain.cause import Cause
from services.routing.domain.desk import Desk
from services.routing.domain.needs import units_of, widening_of
from services.routing.domain.rules import Question
from services.routing.domain.ticket import RANKS, Facts, Ticket
from services.routing.domain.trail import Mark
from shared.events.base import Channel, Event, StatusCategory
from shared.events.satisfaction import SatisfactionOffered, SatisfactionRated
from shared.events.sla import (
    SlaBreached,
    SlaBreachRetracted,
    SlaBreachUpheld,
    SlaCancelled,
    SlaDueChanged,
    SlaEscalationStep,
    SlaEvent,
    SlaJudgedAgain,
    SlaMet,
    SlaPageAcknowledged,
    SlaPaged,
    SlaPageEnded,
    SlaPageUnanswered,
    SlaPaused,
    SlaPolicyApplied,
    SlaResumed,
    SlaStarted,
    SlaUnschedulable,
    SlaWarning,
)
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
from shared.events.triage import is_of_rules

FACT_EVENTS: Final = (SubjectChanged, TypeChanged, TagsChanged, FieldsChanged, PriorityChanged)
"""Events that change what rules ask; their tickets are loaded with facts."""

_KINDS: Final = {
    SubjectChanged: "subject",
    TypeChanged: "type",
    TagsChanged: "tags",
    FieldsChanged: "fields",
}

FIRST_REPLY: Final = "first_reply"

_OVER: Final = frozenset({StatusCategory.SOLVED, StatusCategory.CLOSED})


def observe(desk: Desk, event: TicketEvent) -> None:
    """Take note of what intake says, and act on it unless the ticket is held."""
    ticket = desk.ticket(event.ticket_id)
    ticket.ticket_version = event.version
    ticket.touched_at = desk.now
    match event:
        case TicketOpened():
            _opened(desk, ticket, event)
        case StatusChanged():
            _moved(desk, ticket, event, event.category, event.category.value)
        case TicketReopened():
            _reopened(desk, ticket, event)
        case TicketResolved():
            _moved(desk, ticket, event, StatusCategory.SOLVED, "solved")
        case TicketClosed():
            reason = "spam" if event.reason == "spam" else "closed"
            _moved(desk, ticket, event, StatusCategory.CLOSED, reason)
        case TicketMerged():
            _moved(desk, ticket, event, StatusCategory.CLOSED, "merged")
        case TicketUnmerged():
            _moved(desk, ticket, event, event.category, "unmerged")
        case PriorityChanged():
            _prioritised(desk, ticket, event)
        case SubjectChanged() | TypeChanged() | TagsChanged() | FieldsChanged():
            _learn(ticket, event)
            _ask_again(desk, ticket, _KINDS[type(event)], event)
        case AgentReplied() | NoteAdded():
            _touched(ticket, event)
        case (
            CustomerReplied()
            | MessageRecorded()
            | MessageSent()
            | MessageNotDelivered()
            | MergeReceived()
            | TicketLinked()
            | TicketUnlinked()
            | MergeUndone()
            | MessagesSplit()
            | SplitUndone()
            | FamilyRuleChanged()
            | TaskAdded()
            | TaskChanged()
            | TaskRemoved()
            | ParticipantAdded()
            | ParticipantRemoved()
            | ActionsApplied()
            | ActionsUndone()
            | SatisfactionOffered()
            | SatisfactionRated()
            | GroupRequested()  # `requests` moves the ticket
            | NoticeRequested()
            | RuleApplied()
            | RuleNotApplied()
        ):
            pass
        case _:
            assert_never(event)


def observe_promise(desk: Desk, event: SlaEvent) -> None:
    """Take note of a deadline: the queue is served by the earliest one (R3)."""
    match event:
        case SlaStarted() | SlaResumed() | SlaDueChanged():
            due_at = event.due_at
        case SlaPaused() | SlaMet() | SlaCancelled():
            due_at = None
        case SlaWarning():
            _warned(desk, event)
            return
        case (
            SlaPolicyApplied()
            | SlaEscalationStep()  # `requests` moves the ticket
            | SlaBreached()
            | SlaBreachRetracted()
            | SlaBreachUpheld()
            | SlaUnschedulable()
            | SlaJudgedAgain()
            | SlaPaged()
            | SlaPageAcknowledged()
            | SlaPageUnanswered()
            | SlaPageEnded()
        ):
            return
        case _:
            assert_never(event)
    ticket = desk.ticket(event.ticket_id)
    if event.metric == FIRST_REPLY and due_at is not None:
        trail.note(ticket, event.occurred_at, Mark.DUE, due_at.isoformat())
    dues = {metric: due for metric, due in ticket.dues.items() if metric != event.metric}
    if due_at is not None:
        dues[event.metric] = due_at
    ticket.dues = dues
    ticket.due_at = min(dues.values(), default=None)


def route(desk: Desk, ticket: Ticket, cause: Cause, at: datetime | None = None) -> None:
    """Ask the rules what becomes of a ticket without a group; `at`: when it came, now if not given."""
    if ticket.facts is None:
        return
    book = desk.roster.book
    verdict = book.match(Question(ticket.facts, ticket.rank, at or desk.now, ticket.group_id))
    if verdict is None:
        return
    ticket.rule = verdict.name
    ticket.rules_version = book.version
    ticket.skills = dict(verdict.skills)
    ticket.optional = dict(verdict.optional_skills)
    ticket.strategy = verdict.strategy
    because = why.ruled(verdict, book.version, book.mode)
    if (
        ticket.group_id is None
    ):  # when it comes, and never again: two rules could ask against each other for ever
        triage.ask(desk, ticket, verdict, because, cause)
    if verdict.group is not None:
        desk.move_to_group(ticket, verdict.group, mode="rule", because=because, cause=cause)


def _opened(desk: Desk, ticket: Ticket, event: TicketOpened) -> None:
    requester = event.requester
    ticket.number = event.number
    ticket.external_id = event.external_id
    ticket.channel = event.via.value
    ticket.requester_id = requester.id
    ticket.rank = RANKS[event.priority]
    ticket.category = event.category
    ticket.opened_at = event.occurred_at
    trail.note(ticket, event.occurred_at, Mark.OPENED, event.priority.value)
    ticket.is_held = event.via is Channel.IMPORT
    if requester.id in desk.roster.agents:
        ticket.excluded = (requester.id,)
    ticket.facts = Facts(
        channel=event.via.value,
        subject=event.subject,
        body=event.body,
        ticket_type=event.ticket_type,
        language=event.language,
        tags=event.tags,
        fields=event.fields,
        requester_id=requester.id,
        requester_email=requester.email,
        organization=requester.organization,
        tier=requester.tier,
        is_outbound=event.is_outbound,
    )
    if ticket.is_held:
        ticket.queued_at = event.occurred_at
    elif not _kept_by_its_owner(desk, ticket, event):
        if ticket.group_id is None:  # an escalation may have been heard of first
            route(desk, ticket, _cause(event), event.occurred_at)
        if ticket.needs_agent:
            desk.wait(ticket, _cause(event))
    ticket.facts = msgspec.structs.replace(ticket.facts, body="")


def _kept_by_its_owner(desk: Desk, ticket: Ticket, event: TicketOpened) -> bool:
    """A follow-up goes to the group that had the older ticket, and to its agent if online, as reopening does (R5).

    The life policy of intake says so on the event. False: the rules decide, as for any new ticket.
    """
    origin = event.origin
    if origin is None or origin.kind != "follow_up" or not origin.keeps_owner:
        return False
    if origin.group_id not in desk.roster.groups:
        return False
    because = f"It follows #{origin.number}, which this group had."
    desk.move_to_group(
        ticket, origin.group_id, mode="follow_up", because=because, cause=_cause(event)
    )
    agent = desk.roster.agents.get(origin.agent_id) if origin.agent_id else None
    is_member = agent is not None and origin.group_id in agent.profile.groups
    if agent is not None and is_member and agent.is_online and ticket.needs_agent:
        words = f"{agent.profile.name} had #{origin.number}, which it follows."
        desk.hand_over(ticket, agent, mode="follow_up", because=words, cause=_cause(event))
    elif ticket.needs_agent:
        desk.wait(ticket, _cause(event))
    return True


def _moved(
    desk: Desk, ticket: Ticket, event: TicketEvent, category: StatusCategory, reason: str
) -> None:
    needed = ticket.needs_agent
    previous, ticket.category = ticket.category, category
    needs = ticket.needs_agent
    if needed is not needs:
        mark = Mark.NEEDED if needs else Mark.FREED
        trail.note(ticket, event.occurred_at, mark, category.value)
    if needed and not needs:
        ticket.category = previous
        _no_longer_needed(desk, ticket, reason, _cause(event))
        ticket.category = category
    elif needs and not needed:
        ticket.category = previous
        _needed_again(desk, ticket, category, event)
    elif needs:
        _asks_anew(desk, ticket, _cause(event))
        if category is not StatusCategory.ANSWERED:
            _return_if_gone(desk, ticket, _cause(event))
    if not needs:
        ticket.lease_until = None
    _touched(ticket, event)
    if category in _OVER:
        ticket.queued_at = None
        ticket.is_by_hand = ticket.is_raised = False
    elif ticket.is_held and ticket.queued_at is None:
        ticket.queued_at = event.occurred_at


def _no_longer_needed(desk: Desk, ticket: Ticket, reason: str, cause: Cause) -> None:
    """Pending, hold, postponed, solved and closed free the agent's hands; the agent stays the assignee (R5)."""
    if ticket.agent_id is None:
        desk.withdraw(ticket, reason, cause)
    else:
        agent = desk.roster.agents.get(ticket.agent_id)
        if agent is not None:
            desk.free(ticket, agent)


def _needed_again(desk: Desk, ticket: Ticket, category: StatusCategory, event: TicketEvent) -> None:
    """Back to the same agent if online, even above capacity (R5); else to the queue. The wait begins now."""
    ticket.queued_at = desk.now
    agent = desk.roster.agents.get(ticket.agent_id) if ticket.agent_id else None
    if agent is not None and (agent.is_online or _stays_by_hand(ticket, agent)):
        ticket.category = category
        desk.take(ticket, agent)
        return
    if ticket.agent_id is not None:
        presence = agent.presence.value if agent else "unknown"
        desk.take_away(
            ticket,
            "agent_offline",
            f"It needs work again and {ticket.agent_id} is {presence}.",
            Cause.by_router(event.correlation_id, event.event_id),
        )
    ticket.category = category
    desk.wait(ticket, _cause(event))


def _reopened(desk: Desk, ticket: Ticket, event: TicketReopened) -> None:
    """Back to who had it (R5), unless the group's life policy wants whoever is next."""
    ticket.excluded = ticket.declined = ()
    if not event.keeps_owner and ticket.agent_id is not None and not ticket.is_held:
        because = (
            f"It is reopened, and goes to whoever of its group is next, not to {ticket.agent_id}."
        )
        cause = Cause.by_router(event.correlation_id, event.event_id)
        desk.take_away(ticket, "reopened", because, cause)
    _moved(desk, ticket, event, event.category, "reopened")


def _stays_by_hand(ticket: Ticket, agent: Agent) -> bool:
    """Somebody gave it to this agent, and no rule undoes that while it is not solved (R11)."""
    return ticket.is_by_hand and agent.profile.is_active


def _prioritised(desk: Desk, ticket: Ticket, event: PriorityChanged) -> None:
    ticket.rank = RANKS[event.priority]
    _asks_anew(desk, ticket, _cause(event))
    if not is_of_rules(event):
        trail.note(ticket, event.occurred_at, Mark.PRIORITY, event.priority.value)
    _ask_again(desk, ticket, "priority", event)


def _ask_again(desk: Desk, ticket: Ticket, kind: str, event: TicketEvent) -> None:
    """What intake did because the rules asked for it is no reason to ask them again."""
    if not is_of_rules(event):
        reroute(desk, ticket, kind, _cause(event))


def _asks_anew(desk: Desk, ticket: Ticket, cause: Cause) -> None:
    """It may take other room now, in the queue or in somebody's hands (R5)."""
    if ticket.lane is None:
        desk.weigh_again(ticket)
    elif desk.roster.lanes[ticket.lane].units != units_of(ticket, desk.roster):
        desk.wait(ticket, cause)


def _touched(ticket: Ticket, event: TicketEvent) -> None:
    """Whoever asked for it has begun with it, so it stays."""
    if ticket.lease_until is not None and event.actor.id == ticket.agent_id:
        ticket.lease_until = None


def _return_if_gone(desk: Desk, ticket: Ticket, cause: Cause) -> None:
    """The customer wrote, and its agent has been gone for longer than the grace time (R9): the timer looks at once."""
    agent = desk.roster.agents.get(ticket.agent_id) if ticket.agent_id else None
    group = desk.roster.groups.get(ticket.group_id) if ticket.group_id else None
    grace = group.profile.grace_seconds if group is not None else None
    if agent is None or agent.left_at is None or grace is None or ticket.is_by_hand:
        return
    if (desk.now - agent.left_at).total_seconds() >= grace:
        _give_back(desk, ticket, agent, "agent_away", "The customer wrote", cause)


def _warned(desk: Desk, event: SlaWarning) -> None:
    """A promise is in danger and nobody looks after the ticket: act as its group says (R16)."""
    ticket = desk.ticket(event.ticket_id)
    group = desk.roster.groups.get(ticket.group_id) if ticket.group_id else None
    actions = group.profile.on_sla_warning if group is not None else ()
    if not actions or not ticket.needs_agent:
        return
    agent = desk.roster.agents.get(ticket.agent_id) if ticket.agent_id else None
    cause = _cause(event)
    if (
        "reassign" in actions
        and agent is not None
        and agent.left_at is not None
        and ticket.category is not StatusCategory.ANSWERED
        and not _stays_by_hand(ticket, agent)
    ):
        sentence = f"An SLA warning ({event.metric}, {event.threshold}) came"
        _give_back(desk, ticket, agent, "sla_warning", sentence, cause)
    if ticket.agent_id is not None:
        return
    if "raise" in actions and not ticket.is_raised:
        ticket.is_raised = True
        if ticket.offered_to is None:
            desk.wait(ticket, cause)
    if "overflow" in actions:
        steps = widening_of(ticket, desk.roster)
        further = [n for n, one in enumerate(steps, 1) if one.overflow and n > ticket.step]
        if further:
            ticket.step = further[0]
            if ticket.offered_to is None:
                desk.wait(ticket, cause)


def _give_back(
    desk: Desk, ticket: Ticket, agent: Agent, reason: str, sentence: str, cause: Cause
) -> None:
    how = agent.presence.value if agent.presence in ABSENT else "off shift"
    desk.take_away(ticket, reason, f"{sentence} and {agent.agent_id} is {how}.", cause)
    desk.wait(ticket, cause)


def reroute(desk: Desk, ticket: Ticket, kind: str, cause: Cause) -> None:
    """Ask the rules again after a change of this kind, if the settings say so (R2, R12).

    A group or an agent that somebody chose stays. So does everything when the answer hangs on the opening message,
    whose text is not kept here.
    """
    roster = desk.roster
    if kind not in roster.settings.reroute_on or not ticket.needs_agent or ticket.facts is None:
        return
    if ticket.is_by_hand or ticket.is_group_by_hand:
        return
    book = roster.book
    question = Question(ticket.facts, ticket.rank, desk.now, ticket.group_id)
    verdict, otherwise = book.match_without_body(question)
    if verdict != otherwise:
        return
    if verdict is None or (verdict.name == ticket.rule and verdict.group == ticket.group_id):
        return
    if verdict.group is None or verdict.group == ticket.group_id:
        before = (ticket.skills, ticket.optional, ticket.strategy)
        ticket.rule, ticket.rules_version = verdict.name, book.version
        ticket.skills, ticket.optional = dict(verdict.skills), dict(verdict.optional_skills)
        ticket.strategy = verdict.strategy
        if ticket.agent_id is None and before != (ticket.skills, ticket.optional, ticket.strategy):
            sentence = f"Rule {verdict.name} asks for others."
            desk.end_offer(ticket, "cancelled", cause, reason=sentence)
            desk.wait(ticket, cause)
        return
    route(desk, ticket, cause)
    agent = roster.agents.get(ticket.agent_id) if ticket.agent_id else None
    if ticket.agent_id is not None and (agent is None or verdict.group not in agent.profile.groups):
        because = f"Rule {verdict.name} moved it; {ticket.agent_id} is not in {verdict.group}."
        desk.take_away(ticket, "rerouted", because, cause)
    if ticket.agent_id is None:
        desk.wait(ticket, cause)


def _learn(
    ticket: Ticket, event: SubjectChanged | TypeChanged | TagsChanged | FieldsChanged
) -> None:
    facts = ticket.facts
    if facts is None:
        return
    match event:
        case SubjectChanged():
            ticket.facts = msgspec.structs.replace(facts, subject=event.subject)
        case TypeChanged():
            ticket.facts = msgspec.structs.replace(facts, ticket_type=event.ticket_type)
        case TagsChanged():
            ticket.facts = msgspec.structs.replace(facts, tags=event.tags)
        case FieldsChanged():
            changed = {name: change.value for name, change in event.changes.items()}
            ticket.facts = msgspec.structs.replace(facts, fields={**facts.fields, **changed})


def _cause(event: Event) -> Cause:
    return Cause.by_router(event.correlation_id, event.event_id)
