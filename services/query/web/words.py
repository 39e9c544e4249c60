"""What the pages call things: the wire's words, as people say them."""

from typing import Any, Final

NOTHING: Final = "\N{EN DASH}"
"""Where there is no value."""

STATUS: Final = {
    "new": "New",
    "open": "Open",
    "answered": "Answered",
    "pending": "Pending",
    "hold": "On hold",
    "postponed": "Postponed",
    "solved": "Solved",
    "closed": "Closed",
}
PRIORITY: Final = {"urgent": "Urgent", "high": "High", "normal": "Normal", "low": "Low"}
PRESENCE: Final = {"online": "Online", "busy": "Busy", "away": "Away", "offline": "Offline"}
METRIC: Final = {
    "first_reply": "First reply",
    "next_reply": "Next reply",
    "periodic_update": "Periodic update",
    "requester_wait": "Requester wait",
    "agent_work": "Agent work",
    "resolution": "Resolution",
}
CHANNEL: Final = {
    "api": "API",
    "email": "email",
    "form": "web form",
    "chat": "chat",
    "messenger": "messenger",
    "phone": "phone",
    "agent": "agent",
    "import": "import",
    "system": "system",
}
RELATION: Final = {
    "related": "Related:",
    "parent": "Part of",
    "child": "Has the part",
    "duplicate": "Its duplicate:",
    "original": "Duplicate of",
    "follow_up": "Followed by",
    "predecessor": "Follows",
    "merged_from": "Merged in:",
    "split_into": "Split off:",
    "split_from": "Split from",
}
"""What another ticket is to this one."""

CUSTOMER_STATE: Final = {
    "new": "New",
    "open": "Open",
    "answered": "Answered",
    "postponed": "Postponed",
    "resolved": "Resolved",
}
MODE: Final = {
    "auto": "automatically",
    "rule": "by a rule",
    "manual": "by hand",
    "pull": "on request for the next ticket",
    "offer": "by an accepted offer",
    "escalation": "by an escalation",
    "import": "as imported",
}
STRATEGY: Final = {
    "least_loaded": "least loaded",
    "most_spare": "most room",
    "round_robin": "in turn",
    "longest_idle": "longest idle",
    "weighted": "by weights",
    "manual": "taken by hand",
}
REFUSAL: Final = {
    "inactive": "no longer active",
    "away": "away",
    "busy": "busy",
    "offline": "offline",
    "skill_missing": "lacks a skill it needs",
    "off_shift": "off shift",
    "at_capacity": "full hands",
    "channel_full": "enough of this channel in hand",
    "rate_limited": "had enough for the moment",
    "excluded": "gave it back, declined or asked",
    "no_group": "it belongs to no group",
    "group_inactive": "its group is not active",
    "manual_group": "its group takes tickets itself",
    "no_members": "its group has no agents",
    "waiting_turn": "others have waited longer",
}
"""Reason codes of routing (R4, R8)."""

_MINUTE: Final = 60
_HOUR: Final = 3_600
_DAY: Final = 86_400


def called(words: dict[str, str], value: Any) -> str:
    """The word for a value; one that is not in the list says its own name in plain letters."""
    if value is None or value == "":
        return NOTHING
    text = str(value)
    return words.get(text) or text.replace("_", " ")


def promised(sentence: str) -> str:
    """A sentence about promises with their names as people say them: `first reply`, not `first_reply`."""
    for code, word in METRIC.items():
        sentence = sentence.replace(code, word.lower())
    return sentence


def value(content: Any) -> str:
    """Any value of a field: lists by commas, objects as `name: value`."""
    if isinstance(content, dict):
        return ", ".join(f"{name}: {value(each)}" for name, each in content.items()) or NOTHING
    if isinstance(content, list | tuple):
        return ", ".join(map(value, content)) or NOTHING
    if isinstance(content, bool):
        return "yes" if content else "no"
    return NOTHING if content is None or content == "" else str(content)


def duration(seconds: float | None) -> str:
    """A length of time in its two largest units: `2 d 4 h`, `3 h 05 min`, `12 min`, `8 s`."""
    if seconds is None:
        return NOTHING
    whole = round(abs(seconds))
    if whole >= _DAY:
        text = f"{whole // _DAY} d {whole % _DAY // _HOUR} h"
    elif whole >= _HOUR:
        text = f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02} min"
    elif whole >= _MINUTE:
        text = f"{whole // _MINUTE} min"
    else:
        text = f"{whole} s"
    return f"\N{MINUS SIGN}{text}" if seconds < 0 and whole else text


def countdown(seconds: float) -> str:
    """Time left to the second, `1:04:09` or `4:09`; from a day on in days and hours. `late …` once it is over."""
    whole = int(abs(seconds))
    if whole >= _DAY:
        text = f"{whole // _DAY} d {whole % _DAY // _HOUR} h"
    elif whole >= _HOUR:
        text = f"{whole // _HOUR}:{whole % _HOUR // _MINUTE:02}:{whole % _MINUTE:02}"
    else:
        text = f"{whole // _MINUTE}:{whole % _MINUTE:02}"
    return f"late {text}" if seconds < 0 else text


def amount(value: float | None) -> str:
    """A number of work units without needless zeros."""
    return "∞" if value is None else f"{value:g}"
