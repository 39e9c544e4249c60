"""An event as a sentence for people. Pure; a kind that nobody described is told by its name."""

from typing import Any, Final

from services.query.views.readable import Readable, in_words, readable
from services.query.views.told_life import LIFE_TOLD
from services.query.views.told_mail import MAIL_TOLD
from services.query.views.told_operations import OPERATIONS_TOLD
from services.query.views.told_promises import PROMISES_TOLD

Facts = dict[str, Any]

_SENTENCES: Final[dict[str, str]] = {
    "ticket.note_added.v1": "left an internal note",
    "ticket.subject_changed.v1": "changed the subject to “{subject}”",
    "ticket.resolved.v1": "solved it: {summary}",
    "ticket.merged.v1": "merged it into #{into_number}",
    "ticket.merge_received.v1": "merged #{from_number} into this ticket",
    "ticket.linked.v1": "linked it to #{other_number} ({relation})",
    "ticket.unlinked.v1": "removed the link to #{other_number} ({relation})",
    "ticket.unmerged.v1": "took it out of #{from_number} again: it stands by itself, {category}",
    "ticket.merge_undone.v1": "took #{other_number} out of this ticket again",
    "ticket.split_undone.v1": "brought the messages back from #{into_number}, which is part of this ticket now",
    "ticket.task_removed.v1": "removed the task “{title}”",
    "ticket.participant_removed.v1": "removed {person_id} ({role})",
    "ticket.satisfaction_offered.v1": "asked the customer what they think of the solution, until {expires_at}",
    "assignment.queued.v1": "put it into the queue: {why}",
    "triage.requested.v1": "asked for a change of the ticket: {why}",
    "assignment.withdrawn.v1": "took it out of the queue ({reason})",
    "assignment.offered.v1": "offered it to {agent_name} until {expires_at}: {why}",
    "assignment.skipped.v1": "skipped it: {reason}",
    "routing_settings.defined.v1": "changed the settings of routing",
    "sla.started.v1": "started the clock {metric} (round {cycle}), due {due_at}",
    "sla.paused.v1": "stopped the clock {metric} with {remaining_seconds} left",
    "sla.resumed.v1": "restarted the clock {metric}, due {due_at}",
    "sla.page_unanswered.v1": "found the page about {metric} unanswered after {pages_count} calls and told everybody",
    "agent.defined.v1": "defined agent {agent_id}",
    "group.defined.v1": "defined group {group_id}",
    "routing_rules.defined.v1": "replaced the routing rules",
    "sla_policy.defined.v1": "defined SLA policy {policy_id}",
    "calendar.defined.v1": "defined calendar {calendar_id}",
    "ticket.group_requested.v1": "asked for group {group_id}",
    "contact.merged.v1": "said that this person is contact {into_contact_id}",
    "contact.merge_received.v1": "said that contact {from_contact_id} is this person",
    "contact.unmerged.v1": "said that this person is not contact {from_contact_id} after all",
    "contact.merge_undone.v1": "said that contact {other_contact_id} is somebody else after all",
    "organization.defined.v1": "defined organisation {organization_id}",
    "configuration.defined.v1": "defined {kind} {name}",
    "alert_sink.defined.v1": "defined the sink of alerts {sink_id}",
    "oncall_contact.defined.v1": "said how {target} is reached: {ways}",
    "oncall_rota.defined.v1": "defined on-call rota {rota_id}",
    "oncall_rota.overridden.v1": "put {agent_id} on call in {rota_id} from {starts_at} to {ends_at}",
    "reading.recorded.v1": "fetched the file “{name}” of #{number} ({reasons})",
    "ticket.read.v1": "read this ticket ({reasons})",
    "export.taken.v1": "exported {entity} as {format}, from {start}",
    "report_subscription.changed.v1": "changed the subscription of reports {subscription_id}",
    "oncall_rota.override_ended.v1": "took back the override of {rota_id} for {agent_id}",
}

_TOLD: Final = LIFE_TOLD | MAIL_TOLD | PROMISES_TOLD | OPERATIONS_TOLD
_PRESENCE_REASONS: Final = {
    "heartbeat_lost": "no sign of life",
    "heartbeat_back": "back again",
    "offers_expired": "did not answer offers",
}


def sentence(type_: str, facts: Facts) -> str:
    """What happened, to be read after the actor's name: “Anna Berg” + “closed it”."""
    tell = _TOLD.get(type_)
    told = tell(facts) if tell else _told(type_, facts)
    if told is None:
        template = _SENTENCES.get(type_)
        told = template.format_map(Readable(facts)) if template else type_
    return told


def _told(  # noqa: C901, PLR0911, PLR0912  # one sentence each
    type_: str, facts: Facts
) -> str | None:
    """Sentences whose shape depends on what is in the event."""
    match type_:
        case "ticket.status_changed.v1":
            return _status(facts)
        case "ticket.priority_changed.v1":
            return _change("the priority", facts["previous"], facts["priority"])
        case "ticket.type_changed.v1":
            return _change("the type", facts.get("previous"), facts.get("ticket_type"))
        case "ticket.fields_changed.v1":
            parts = [
                _change(name, change["previous"], change["value"])
                for name, change in facts["changes"].items()
            ]
            return ", ".join(parts)
        case "ticket.tags_changed.v1":
            parts = [f"+{tag}" for tag in facts.get("added", ())]
            parts += [f"-{tag}" for tag in facts.get("removed", ())]
            return f"changed the tags: {' '.join(parts)}"
        case "ticket.reopened.v1":
            return _reopened(facts)
        case "assignment.group_changed.v1":
            change = _change("the group", facts["previous_group_id"], facts["group_id"])
            return f"{change}: {facts['why']}"
        case "assignment.assigned.v1":
            name = facts.get("agent_name") or facts["agent_id"]
            before = facts.get("previous_agent_id")
            return f"assigned it to {name}{f', before {before}' if before else ''}: {facts['why']}"
        case "assignment.unassigned.v1":
            return f"took it from {facts['previous_agent_id']} ({in_words({}, facts['reason'])})"
        case "assignment.offer_ended.v1":
            reason = f": {facts['reason']}" if facts.get("reason") else ""
            return f"saw the offer to {facts['agent_id']} {facts['outcome']}{reason}"
        case "assignment.move_refused.v1":
            wanted = (
                f"group {facts['asked_group_id']}" if facts["asked_group_id"] else "the next tier"
            )
            return f"asked for {wanted} in vain: {facts['why']}"
        case "assignment.escalated.v1":
            change = _change("the tier", facts.get("previous_group_id"), facts["group_id"])
            return f"escalated it ({change}): {facts['reason']}"
        case "sla.policy_applied.v1":
            return _change("the SLA policy", facts.get("previous_policy_id"), facts["policy_id"])
        case "agent.presence_changed.v1":
            reason = facts["reason"]
            why = "" if reason == "requested" else f" ({in_words(_PRESENCE_REASONS, reason)})"
            return (
                f"set {facts['agent_id']} to {facts['presence']}, before {facts['previous']}{why}"
            )
        case _:
            return None


def _reopened(facts: Facts) -> str:
    why = f": {facts['reason']}" if facts.get("reason") else ""
    if facts.get("cause") == "courtesy_overruled":
        why = f": it was more than a thank-you{why}"
    return f"reopened it (time {facts['reopen_count']}){why}"


def _status(facts: Facts) -> str:
    if facts["category"] == facts["previous_category"]:
        return _change("the label", facts.get("previous_label"), facts.get("label"))
    return _change("the status", facts["previous_category"], facts["category"])


def _change(what: str, before: Any, after: Any) -> str:
    if before is None and after is not None:
        return f"set {what} to {readable(after)}"
    if after is None:
        return f"removed {what}, before {readable(before)}"
    return f"changed {what} from {readable(before)} to {readable(after)}"
