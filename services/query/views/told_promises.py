"""Sentences about promises, their clocks and whom they called; codes of sla are said in words. Pure."""

from collections.abc import Callable
from typing import Any, Final

from services.query.views.readable import Readable, in_words

_Facts = dict[str, Any]

UNSCHEDULABLE: Final = {
    "no_open_time": "its calendar has too little open time",
    "unknown_calendar": "its calendar does not exist",
}
CAUSES: Final = {
    "opened": "the ticket was opened",
    "created": "the ticket was opened",
    "customer_replied": "the customer wrote",
    "agent_replied": "an agent wrote to the customer",
    "note_added": "a note was added",
    "status_changed": "the status changed",
    "priority_changed": "the priority changed",
    "group_changed": "the group changed",
    "assigned": "somebody got the ticket",
    "attributes_changed": "tags, type or fields changed",
    "merged": "it was merged into another ticket",
    "unmerged": "it was taken out of another ticket",
    "merge_received": "another ticket was merged into it",
    "resolved": "it was solved",
    "reopened": "it was reopened",
    "closed": "it was closed",
    "discarded": "it was discarded",
    "policy_changed": "the policy changed",
    "calendar_changed": "the calendar changed",
    "breach_taken_back": "a breach was taken back",
    "time_passed": "nobody did it in time",
    "target_changed": "its time was already used up when it ran again or its target changed",
}
"""Every cause that the engine of sla names (its facts, and time), to be read after “as” or “because”."""

_ENDED: Final = {
    "merged": "it was merged",
    "closed": "it was closed",
    "no_policy": "no policy holds for it any more",
    "spam": "it is spam",
    "met": "the promise was fulfilled",
    "cancelled": "its clock ended",
    "retracted": "the breach was taken back",
}
_TAKEN: Final = {"answered": " by answering", "assigned": " by taking the ticket"}


def _breached(facts: _Facts) -> str:
    said = Readable(facts)
    why = in_words(CAUSES, facts["cause"])
    return f"found {said['metric']} breached: it was due {said['breached_at']}, {why}"


def _due_changed(facts: _Facts) -> str:
    said = Readable(facts)
    moved = f"from {said['previous_due_at']} to {said['due_at']}"
    return f"moved the deadline of {said['metric']} {moved}, as {in_words(CAUSES, facts['cause'])}"


def _cancelled(facts: _Facts) -> str:
    why = in_words(_ENDED, facts["reason"])
    return f"ended the clock {facts['metric']} without a result: {why}"


def _unschedulable(facts: _Facts) -> str:
    return f"found no deadline for {facts['metric']}: {in_words(UNSCHEDULABLE, facts['reason'])}"


def _page_ended(facts: _Facts) -> str:
    return f"ended the page about {facts['metric']}: {in_words(_ENDED, facts['reason'])}"


def _met(facts: _Facts) -> str:
    return f"saw {facts['metric']} fulfilled {'late' if facts['was_breached'] else 'in time'}"


def _warned(facts: _Facts) -> str:
    said = Readable(facts)
    share = said["threshold"]
    used = f"{share} of its time used" if "%" in share else f"{said['remaining_seconds']} left"
    return f"warned that {said['metric']} is due {said['due_at']} ({used})"


def _judged_again(facts: _Facts) -> str:
    said = "; ".join(
        f"{one['metric']} {one['status'] or 'not promised'}, first {one['first_status'] or 'not promised'}"
        for one in facts["verdicts"] or ()
    )
    return f"judged it again as “{facts['label']}”: {said}"


def _escalated(facts: _Facts) -> str:
    done = []
    if facts.get("raise_priority"):
        done.append(f"priority to {facts['raise_priority']}")
    if facts.get("move_to_group"):
        done.append(f"to group {facts['move_to_group']}")
    if facts.get("notified"):
        done.append(f"told {', '.join(facts['notified'])}")
    if facts.get("pages"):
        done.append("pages who is on call")
    what = "; ".join(done) or "nothing left to do"
    return f"escalated {facts['metric']}, step {facts['step']} of {facts['steps_count']}: {what}"


def _paged(facts: _Facts) -> str:
    whom = facts["agent_id"] or f"nobody (nobody is on call in {facts.get('rota_id')})"
    return (
        f"paged {whom} about {facts['metric']}, level {facts['level']} of {facts['levels_count']}"
    )


def _acknowledged(facts: _Facts) -> str:
    return f"acknowledged the page about {facts['metric']}{_TAKEN.get(facts['how'], '')}"


def _retracted(facts: _Facts) -> str:
    metric = facts["metric"]
    if facts.get("needs_review"):
        return f"asked whether the breach of {metric} stands: a fact came more than a day late"
    why = facts.get("note") or f"it was learned late that {in_words(CAUSES, facts['reason'])}"
    return f"took back the breach of {metric}: {why}"


def _upheld(facts: _Facts) -> str:
    why = f": {facts['note']}" if facts.get("note") else ""
    return f"decided that the breach of {facts['metric']} stands{why}"


PROMISES_TOLD: Final[dict[str, Callable[[_Facts], str]]] = {
    "sla.due_changed.v1": _due_changed,
    "sla.met.v1": _met,
    "sla.cancelled.v1": _cancelled,
    "sla.warning.v1": _warned,
    "sla.breached.v1": _breached,
    "sla.breach_retracted.v1": _retracted,
    "sla.breach_upheld.v1": _upheld,
    "sla.unschedulable.v1": _unschedulable,
    "sla.judged_again.v1": _judged_again,
    "sla.escalation_step.v1": _escalated,
    "sla.paged.v1": _paged,
    "sla.page_acknowledged.v1": _acknowledged,
    "sla.page_ended.v1": _page_ended,
}
"""Wire type → the sentence without the actor."""
