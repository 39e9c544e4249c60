"""What each fact means for the ticket and its clocks: rules S1-S16, one function per kind of fact."""

from services.sla.engine import facts as told
from services.sla.engine.clockwork import Clockwork
from services.sla.engine.metrics import FIRST_REPLY, Signal
from services.sla.engine.outcomes import EndReason, PolicyApplied
from services.sla.engine.rulebook import Rulebook
from services.sla.engine.state import State, to_moment, to_us
from services.sla.engine.taking_back import take_back
from services.sla.engine.terms import Terms

_DONE = ("solved", "closed")
_REASONS: dict[Signal, EndReason] = {Signal.CLOSED: "closed", Signal.SOLVED: "solved"}


def begin(fact: told.Created, rules: Rulebook) -> Clockwork:
    """Make the first state of a ticket and judge its creation (S1, S9, S10)."""
    at_us = to_us(fact.at)
    state = State(
        category=fact.category,
        priority=fact.priority,
        attributes={key: value for key, value in fact.attributes.items() if value is not None},
        created_us=at_us,
        last_us=at_us,
    )
    work = Clockwork(state, rules)
    work.at_us, work.cause = at_us, "created"
    _match(work)
    is_inbound = fact.direction == "inbound"
    _signal(work, {Signal.CREATED, Signal.CREATED_INBOUND} if is_inbound else {Signal.CREATED})
    if state.attributes.get("assignee") is not None:
        _signal(work, {Signal.ASSIGNED})
    if state.attributes.get("group") is not None:
        _signal(work, {Signal.GROUP_ENTERED})
    if fact.category in _DONE:
        _signal(work, {Signal.SOLVED if fact.category == "solved" else Signal.CLOSED})
    work.settle()
    return work


def apply(work: Clockwork, fact: told.Fact) -> None:  # noqa: C901, PLR0912, PLR0915 - one case a fact
    """Judge one fact at its moment; time has already spoken up to it."""
    work.at_us, work.cause = to_us(fact.at), told.TAGS[type(fact)]
    if isinstance(fact, told.Unmerged) and work.state.ended == "merged":
        work.state.ended, work.state.category = None, "closed"
    if work.state.ended is not None and not isinstance(fact, told.BreachTakenBack):
        return
    match fact:
        case told.CustomerReplied():
            _signal(work, {Signal.CUSTOMER_SPOKE})
        case told.AgentReplied():
            if counts_as_reply(fact):
                _signal(work, {Signal.AGENT_SPOKE})
                work.state.first_replied = True
        case told.StatusChanged():
            _enter(work, fact.category, by_customer=fact.by_customer)
        case told.Resolved():
            _enter(work, "solved")
        case told.Closed():
            _enter(work, "closed")
        case told.Unmerged():
            _enter(work, fact.category)
        case told.Reopened():
            _enter(work, fact.category, by_customer=fact.by_customer)
        case told.PriorityChanged():
            if fact.priority != work.state.priority:
                work.state.priority = fact.priority
                _judge_anew(work, {"priority"})
        case told.GroupChanged():
            _change_group(work, fact.group)
        case told.Assigned():
            if _set(work, {"assignee": fact.assignee}) and fact.assignee is not None:
                _signal(work, {Signal.ASSIGNED})
        case told.AttributesChanged():
            _set(work, fact.attributes)
        case told.MergeReceived():
            if fact.customer_message:
                _signal(work, {Signal.CUSTOMER_WAITS_AGAIN})
        case told.Merged():
            _end(work, "merged")
        case told.Discarded():
            _end(work, fact.reason)
        case told.PolicyChanged():
            work.state.chosen_policy_id = fact.policy_id
            _match(work)
        case told.CalendarChanged():
            for clock in work.state.clocks:
                if (
                    clock.is_open
                    and clock.breached_us is None
                    and clock.calendar_id == fact.calendar_id
                ):
                    work.recalendar(clock)
        case told.BreachTakenBack():
            take_back(work, fact)
        case told.NoteAdded() | told.Created():
            pass  # a note never counts (S1); a ticket is created once
    work.settle()


def counts_as_reply(fact: told.AgentReplied) -> bool:
    """Public, by a human, and not by the requester (S1)."""
    return fact.human and fact.public and not fact.by_requester


def _signal(work: Clockwork, signals: set[Signal]) -> None:
    _end_clocks(work, signals)
    _begin_clocks(work, signals)


def _end_clocks(work: Clockwork, signals: set[Signal]) -> None:
    for clock in work.state.clocks:
        terms = work.terms.get(clock.metric)
        if terms is None or terms.ends.isdisjoint(signals) or not clock.is_alive:
            continue
        if not terms.stops.isdisjoint(signals):
            work.stop(clock)
        elif not terms.cancels.isdisjoint(signals):
            work.cancel(clock, _REASONS[min(terms.cancels & signals, key=lambda s: s.value)])


def _begin_clocks(work: Clockwork, signals: set[Signal]) -> None:
    for terms in work.terms.values():
        if terms.begins.isdisjoint(signals):
            continue
        clock = work.state.clock(terms.metric)
        if clock is not None and clock.is_alive:
            continue
        if clock is not None and not terms.resumes.isdisjoint(signals):
            if terms.restarts:
                work.start(terms, clock.cycle + 1)
            else:
                work.reopen(clock, terms)
        elif not terms.starts.isdisjoint(signals) and _may_start(work, terms, clock is not None):
            work.start(terms, clock.cycle + 1 if clock else 1)


def _may_start(work: Clockwork, terms: Terms, ran_before: bool) -> bool:
    if ran_before and not terms.repeats:
        return False
    if terms.after_first_reply and not work.state.first_replied:
        first = work.state.clock(FIRST_REPLY)
        return first is None or not first.is_alive
    return True


def _enter(work: Clockwork, category: told.Category, *, by_customer: bool = False) -> None:
    """Move to another category: ends first, then pauses, then what begins (S3, S6, S14)."""
    before = work.state.category
    work.state.category = category
    was_done, is_done = before in _DONE, category in _DONE
    signals: set[Signal] = set()
    if category == "closed" and before != "closed":
        signals.add(Signal.CLOSED)
    elif category == "solved" and not was_done:
        signals.add(Signal.SOLVED)
    elif was_done and not is_done:
        signals.add(Signal.REOPENED)
        if work.state.attributes.get("group") is not None:
            signals.add(Signal.GROUP_ENTERED)
    if by_customer and not is_done:
        signals.add(Signal.CUSTOMER_WAITS_AGAIN)
    _end_clocks(work, signals)
    _apply_pauses(work)
    _begin_clocks(work, signals)
    if category != before:
        _judge_anew(work, {"category"})


def _apply_pauses(work: Clockwork) -> None:
    for clock in work.state.clocks:
        if not clock.is_alive or clock.metric not in work.terms:
            continue
        pauses = work.state.category in work.terms[clock.metric].pauses
        if pauses and clock.running_since_us is not None:
            work.pause(clock)
        elif not pauses and clock.running_since_us is None:
            work.resume(clock)


def _change_group(work: Clockwork, group: str | None) -> None:
    before = work.state.attributes.get("group")
    if group == before:
        return
    if before is not None:
        _end_clocks(work, {Signal.GROUP_LEFT})
    _set(work, {"group": group})
    if group is not None and work.state.category not in _DONE:
        _begin_clocks(work, {Signal.GROUP_ENTERED})


def _set(work: Clockwork, values: dict[str, object]) -> bool:
    """Set attributes and judge anew if any of them changed."""
    attributes = work.state.attributes
    changed = {key for key, value in values.items() if attributes.get(key) != value}
    if not changed:
        return False
    merged = {**attributes, **values}
    work.state.attributes = {key: value for key, value in merged.items() if value is not None}
    _judge_anew(work, changed)
    return True


def _judge_anew(work: Clockwork, changed: set[str]) -> None:
    """Match again if a condition asks for what changed, else only look the targets up (S10)."""
    if not work.rules.matched_fields(work.at_us).isdisjoint(changed):
        _match(work)
    elif work.policy is not None and not work.policy.target_fields.isdisjoint(changed):
        for clock in work.state.clocks:
            if clock.is_alive:
                work.retarget(clock, work.policy)


def _match(work: Clockwork) -> None:
    former = work.policy
    chosen = work.state.chosen_policy_id
    if chosen is None:
        policy = work.rules.match(work.at_us, work.ticket())
    else:
        policy = work.rules.policy_in_force(chosen, work.at_us)
    if policy is not former:
        work.pin(policy)
        work.told.append(
            PolicyApplied(
                at=to_moment(work.at_us),
                policy_id=policy.id if policy else None,
                policy_version=policy.version if policy else None,
                previous_policy_id=former.id if former else None,
                previous_policy_version=former.version if former else None,
                cause=work.cause,
            )
        )
    if policy is not None:
        _apply_pauses(work)
    for clock in work.state.clocks:
        if clock.is_alive:
            work.retarget(clock, former)


def _end(work: Clockwork, reason: EndReason) -> None:
    for clock in work.state.clocks:
        if clock.is_alive:
            work.cancel(clock, reason)
    work.state.ended = reason
