"""Sentences about mails that are only recorded. Pure."""

from collections.abc import Callable
from typing import Any, Final

_Facts = dict[str, Any]

_KINDS: Final = {
    "auto_reply": "sent an automatic reply",
    "bounce": "told us that a message did not arrive",
    "loop": "sent us back our own mail",
    "program": "reported something by a program",
    "flood": "sent more mails than one person does",
}


def _recorded(facts: _Facts) -> str:
    what = _KINDS.get(facts["kind"], "sent something that is only kept")
    whom = facts.get("failed_recipients")
    to = f" at {', '.join(whom)}" if whom else ""
    return f"{what}{to}; recorded, nothing else follows ({facts['reason']})"


_CAUSES: Final = {
    "refused": "the mail server refused it",
    "bounced": "it came back",
    "given_up": "it could not be handed over for too long",
    "in_doubt": "it may have arrived, nobody knows",
    "withheld": "it was not sent",
    "discarded": "it was discarded",
}


_WHAT: Final = {
    "acknowledgement": "the acknowledgement",
    "notice": "the notice",
    "survey": "the question what the customer thinks of the solution",
}


def _what(facts: _Facts) -> str:
    return _WHAT.get(facts["kind"], "the message")


def _sent(facts: _Facts) -> str:
    return f"sent {_what(facts)} to {', '.join(facts['recipients'] or ())}"


def _not_delivered(facts: _Facts) -> str:
    whom = ", ".join(facts["recipients"] or ()) or "anybody"
    cause = _CAUSES.get(facts["cause"], facts["cause"])
    return f"did not deliver {_what(facts)} to {whom}: {cause} ({facts['reason']})"


MAIL_TOLD: Final[dict[str, Callable[[_Facts], str]]] = {
    "ticket.message_recorded.v1": _recorded,
    "ticket.message_sent.v1": _sent,
    "ticket.message_not_delivered.v1": _not_delivered,
}
