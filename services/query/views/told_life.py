"""Sentences about a ticket's life whose shape depends on what is in the event: messages, ends, tasks, people. Pure."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from services.query.views.readable import in_words

_Facts = dict[str, Any]


def _customer_replied(facts: _Facts) -> str:
    if courtesy := facts.get("courtesy"):
        return f"said thank you (“{courtesy['words']}”, {courtesy['language']}); it stays as it is"
    who = ", a third party" if facts.get("is_third_party") else ""
    return f"wrote to us{who}{_where(facts)}"


def _agent_replied(facts: _Facts) -> str:
    sources = ", ".join(f"{one['kind']} {one['name']}" for one in facts.get("sources") or ())
    return f"wrote to the customer{_where(facts)}{f', with {sources}' if sources else ''}"


def _where(facts: _Facts) -> str:
    if copied := facts.get("copied"):
        return f" in #{copied['number']}, moved here"
    if number := facts.get("written_to"):
        return f" by way of #{number}, which was merged into this ticket"
    return ", about an earlier message" if facts.get("quotes") else ""


def _opened(facts: _Facts) -> str:
    said = f"opened {'the internal ' if facts.get('is_internal') else ''}ticket #{facts['number']}"
    origin = facts.get("origin")
    if origin is None:
        return said
    why = "as a follow-up of" if origin["kind"] == "follow_up" else "with messages split from"
    return f"{said} {why} #{origin['number']}"


def _closed(facts: _Facts) -> str:
    if facts.get("reason") == "time_passed":
        return f"closed it: {facts.get('rule') or 'its time has passed'}"
    if facts.get("reason") == "confirmed_by_customer":
        return "confirmed that it is solved, which closed it"
    return "closed it"


def _split(facts: _Facts) -> str:
    count = len(facts["message_ids"] or ())
    return f"split {count} message{'s' if count > 1 else ''} into #{facts['into_number']}"


def _family_rule(facts: _Facts) -> str:
    if facts["waits_for_children"]:
        return "told it to stay open until its children are solved"
    return "allowed it to end before its children"


def _task_added(facts: _Facts) -> str:
    parts = [f"added the task “{facts['title']}”"]
    if facts.get("checklist"):
        parts.append(f"to the list {facts['checklist']}")
    if facts.get("owner_id"):
        parts.append(f"for {facts.get('owner_name') or facts['owner_id']}")
    if facts.get("due_at"):
        parts.append(f"due {datetime.fromisoformat(facts['due_at']):%Y-%m-%d %H:%M} UTC")
    return " ".join(parts)


def _task_changed(facts: _Facts) -> str:
    done = facts["changes"].get("is_done")
    if done is not None:
        return f"{'finished' if done['value'] else 'took up again'} the task “{facts['title']}”"
    return f"changed the task “{facts['title']}”"


def _participant_added(facts: _Facts) -> str:
    person = facts["person"] or {"id": "somebody"}
    name = person.get("name") or person.get("email") or person["id"]
    doubt = "" if facts.get("is_trusted", True) else ", whom nobody here has let in yet"
    return f"added {name} ({facts['role']}{doubt})"


def _actions_undone(facts: _Facts) -> str:
    kept = f" (stays: {', '.join(facts['kept'])})" if facts.get("kept") else ""
    return f"took back “{facts['title']}”{kept}"


def _actions_applied(facts: _Facts) -> str:
    why = f": {facts['why']}" if facts.get("why") else ""
    return f"used the {facts['source']} “{facts['title']}”{why}"


def _rule_applied(facts: _Facts) -> str:
    changes = facts["changes"] or ()
    done = ", ".join(_change(one) for one in changes) or "all was so already"
    return f"ran {_because(facts)}: {done}"


_NOT_APPLIED: Final = {
    "refused": "the ticket does not allow it",
    "loop": "it ran already for the same cause",
    "depth": "too many rules one after the other",
    "rate": "too many rules on this ticket within an hour",
    "failed": "a fault of ours",
}


def _rule_not_applied(facts: _Facts) -> str:
    why = in_words(_NOT_APPLIED, facts["why"])
    return f"did nothing, though its turn had come {_because(facts)} ({why}): {facts['reason']}"


def _notice_requested(facts: _Facts) -> str:
    missing = [
        {"agent": "nobody has the ticket", "lead": "the ticket has no group"}.get(one, one)
        for one in facts.get("nobody") or ()
    ]
    if not facts["to"]:
        return f"told nobody: {', '.join(missing)}"
    out = "" if facts.get("leaves_by") else ", which nothing carries: there is no way out by mail"
    doubt = f" ({', '.join(missing)})" if missing else ""
    return f"told {', '.join(facts['to'])}{doubt}: “{facts['subject']}”{out}"


def _change(change: dict[str, Any]) -> str:
    what = change["what"]
    if "added" in change or "removed" in change:
        parts = [f"+{one}" for one in change.get("added") or ()]
        parts += [f"-{one}" for one in change.get("removed") or ()]
        return f"{what} {' '.join(parts)}"
    if what in {"reply", "note"}:
        return f"{what} written"
    return f"{what} {change.get('before') or 'none'} → {change.get('after') or 'none'}"


def _because(facts: _Facts) -> str:
    cause = str(facts["cause"]).replace("_", " ")
    started = "by time" if cause == "time" else f"on {cause}"
    if facts.get("after"):
        started += f" after {' → '.join(facts['after'])}"
    held = [
        f"{one['condition']} (was {', '.join(_value(saw) for saw in one['saw'].values())})"
        for one in facts.get("conditions") or ()
    ]
    return f"{started}, as {'; '.join(held)}" if held else started


def _value(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)


def _contact_defined(facts: _Facts) -> str:
    name = (facts["contact"] or {}).get("name") or "a contact"
    return f"{'changed' if facts.get('previous') else 'made known'} {name}"


def _satisfaction_rated(facts: _Facts) -> str:
    before = facts.get("previous_score")
    said = f"said that the help was {facts['score']}"
    if before is not None and before != facts["score"]:
        said += f", before that it was {before}"
    why = f" ({facts['reason']})" if facts.get("reason") else ""
    words = f": “{facts['comment']}”" if facts.get("comment") else ""
    return f"{said}{why}{words}"


def _article_judged(facts: _Facts) -> str:
    before = facts.get("previous")
    changed = "" if before is None or before is facts["is_helpful"] else ", and had said otherwise"
    return f"said that the article {facts['name']} {'helped' if facts['is_helpful'] else 'did not help'}{changed}"


LIFE_TOLD: Final[dict[str, Callable[[_Facts], str]]] = {
    "ticket.opened.v1": _opened,
    "ticket.customer_replied.v1": _customer_replied,
    "ticket.agent_replied.v1": _agent_replied,
    "ticket.closed.v1": _closed,
    "ticket.messages_split.v1": _split,
    "ticket.family_rule_changed.v1": _family_rule,
    "ticket.task_added.v1": _task_added,
    "ticket.task_changed.v1": _task_changed,
    "ticket.participant_added.v1": _participant_added,
    "contact.defined.v1": _contact_defined,
    "article.judged.v1": _article_judged,
    "ticket.satisfaction_rated.v1": _satisfaction_rated,
    "ticket.actions_applied.v1": _actions_applied,
    "ticket.actions_undone.v1": _actions_undone,
    "ticket.rule_applied.v1": _rule_applied,
    "ticket.rule_not_applied.v1": _rule_not_applied,
    "ticket.notice_requested.v1": _notice_requested,
}
"""Wire type → the sentence without the actor."""
