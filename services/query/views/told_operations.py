"""Sentences about what operators did to the services, and who was refused. Pure."""

from collections.abc import Callable
from typing import Any, Final

_Facts = dict[str, Any]

OPERATIONS: Final[dict[str, str]] = {
    "parked.read": "read the parked events of {about} ({parked} parked)",
    "parked.retry": "had the parked events of {about} handled again ({parked} parked)",
    "parked.discard": "gave up a parked event of {about} ({parked} parked)",
    "mail.retry": "had the mail {about} sent again",
    "mail.discard": "gave up the mail {about}",
    "message.retry": "had the message {about} sent again",
    "message.discard": "gave up the message {about}",
    "delivery.replay": "had the alert {about} sent again",
    "delivery.discard": "gave up the alert {about}",
    "bulk.start": "began to change {tickets} tickets (job {about})",
    "bulk.stop": "stopped the job {about}",
    "bulk.undo": "had the job {about} undone",
    "sink.test": "sent an alert about nothing to {about}",
    "projections.rebuild": "had {about} built anew (differences accepted: {accept_differences})",
    "projections.switch": "switched {about} to generation {generation}",
    "projections.drop": "dropped the tables of {about} that had been replaced",
    "import.start": "began an import",
    "import.end": "ended an import",
    "chat.join": "took the chat {about}",
    "chat.read": "read the chat {about} of this ticket ({reasons})",
    "chat.end": "ended the chat {about}",
    "feed.make": "made an address of the calendar of rota {about}, for {feed}",
    "feeds.end": "took back the addresses of the calendar of rota {about}",
    "policies.reapply": "had the policies in force matched anew",
    "history.take": "took the routing of the tickets of {days} days",
    "timelines.take": "took the timelines of the tickets of {days} days",
    "lake.export": "wrote a lake at {to} (entities: {entities})",
    "timers.mend": "had the timers of all tickets put where their clocks say",
    "token.use": "came with a token for the first time (role {role}, made {made_at}, until {ends_at})",
    "login.refused": "was refused as {claimed}: {reason}",
}


def _operation(facts: _Facts) -> str:
    template = OPERATIONS.get(facts.get("what") or "", "operated on {about}: {what}")
    changes = facts.get("changes") or {}
    words = {name: _becomes(old, new) for name, (old, new) in changes.items()}
    known = {"what": facts.get("what"), "about": facts.get("about"), **words}
    said = template.format_map(_Known(known))
    count = facts.get("count") or 1
    return said if count == 1 else f"{said} ({count} times)"


def _becomes(old: Any, new: Any) -> Any:
    return new if old is None else f"{old} to {new}"


class _Known(dict[str, Any]):
    def __missing__(self, name: str) -> str:
        return "?"


OPERATIONS_TOLD: Final[dict[str, Callable[[_Facts], str]]] = {
    f"{service}_operation.recorded.v1": _operation
    for service in ("intake", "routing", "sla", "query")
}
