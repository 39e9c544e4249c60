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


MAIL_TOLD: Final[dict[str, Callable[[_Facts], str]]] = {"ticket.message_recorded.v1": _recorded}
