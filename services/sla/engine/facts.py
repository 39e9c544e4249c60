"""What happened to a ticket, in the engine's own few words: the only input of the judgement.

The engine knows no topics and no wire events; the live service, imports and simulations translate
their events into these facts. Every fact carries `at`, the aware UTC moment at which it happened in
the world (not when it was heard of). Facts with the same `at` are taken in the order they are given.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypeVar

import msgspec

Direction = Literal["inbound", "outbound"]
Category = Literal["new", "open", "answered", "pending", "hold", "postponed", "solved", "closed"]
Priority = Literal["low", "normal", "high", "urgent"]

CATEGORIES: tuple[Category, ...] = (
    "new",
    "open",
    "answered",
    "pending",
    "hold",
    "postponed",
    "solved",
    "closed",
)
PRIORITIES: tuple[Priority, ...] = ("low", "normal", "high", "urgent")
FUTURE_TOLERANCE = timedelta(seconds=60)
"""How far ahead of the broker's time a fact may claim to be (rule S21)."""


class _Fact(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="type", array_like=True, omit_defaults=True
):
    at: datetime


class Created(_Fact, frozen=True, kw_only=True, tag="created"):
    """The ticket began. `inbound`: by or for a customer; `outbound`: an agent writes first (S1).

    `attributes` are what policy conditions may ask for (group, assignee, via, type, tags,
    customer tier …); `priority` and `category` may be asked for under these names as well.
    """

    direction: Direction = "inbound"
    category: Category = "new"
    priority: Priority = "normal"
    attributes: dict[str, Any] = {}


class CustomerReplied(_Fact, frozen=True, kw_only=True, tag="customer_replied"):
    """The customer wrote a public message after the first one (S2)."""


class AgentReplied(_Fact, frozen=True, kw_only=True, tag="agent_replied"):
    """An agent wrote; only a public, human message by somebody else than the requester counts."""

    human: bool = True
    public: bool = True
    by_requester: bool = False


class NoteAdded(_Fact, frozen=True, kw_only=True, tag="note_added"):
    """An internal note: it never counts (S1)."""


class StatusChanged(_Fact, frozen=True, kw_only=True, tag="status_changed"):
    """The status moved to another category; also how a ticket is solved, closed and reopened."""

    category: Category
    by_customer: bool = False


class PriorityChanged(_Fact, frozen=True, kw_only=True, tag="priority_changed"):
    """Targets of the new priority hold from the original start (S11)."""

    priority: Priority


class GroupChanged(_Fact, frozen=True, kw_only=True, tag="group_changed"):
    """The ticket went to another group, or to none. Sets the attribute `group`."""

    group: str | None


class Assigned(_Fact, frozen=True, kw_only=True, tag="assigned"):
    """Somebody took the ticket, or nobody has it any more. Sets the attribute `assignee`."""

    assignee: str | None


class AttributesChanged(_Fact, frozen=True, kw_only=True, tag="attributes_changed"):
    """Attributes got these values; a value of `None` removes the attribute."""

    attributes: dict[str, Any]


class Merged(_Fact, frozen=True, kw_only=True, tag="merged"):
    """This ticket went up in another one: every open clock is cancelled for good (S15)."""


class Unmerged(_Fact, frozen=True, kw_only=True, tag="unmerged"):
    """The merge was undone: the ticket is worked on again as after reopening (S14), with new rounds of its clocks."""

    category: Category = "open"


class MergeReceived(_Fact, frozen=True, kw_only=True, tag="merge_received"):
    """Another ticket was merged into this one, perhaps with an unanswered customer message (S15)."""

    customer_message: bool = False


class Resolved(_Fact, frozen=True, kw_only=True, tag="resolved"):
    """The same as a status change to `solved`; both may be told, the second says nothing."""


class Reopened(_Fact, frozen=True, kw_only=True, tag="reopened"):
    """A solved or closed ticket is worked on again (S14)."""

    category: Category = "open"
    by_customer: bool = False


class Closed(_Fact, frozen=True, kw_only=True, tag="closed"):
    """The same as a status change to `closed`."""


class Discarded(_Fact, frozen=True, kw_only=True, tag="discarded"):
    """Deleted, marked as spam or anonymised: cancelled for good (S16)."""

    reason: Literal["deleted", "spam", "anonymised"] = "deleted"


class PolicyChanged(_Fact, frozen=True, kw_only=True, tag="policy_changed"):
    """Re-apply the policies in force at this moment to this ticket (the command of S10).

    `policy_id`: the ticket is put under this policy whatever its conditions say, until the next
    such fact; `None`: the policies are matched as ever.
    """

    policy_id: str | None = None


class CalendarChanged(_Fact, frozen=True, kw_only=True, tag="calendar_changed"):
    """Open, unbreached clocks on this calendar recompute with its version in force now (S12)."""

    calendar_id: str


class BreachTakenBack(_Fact, frozen=True, kw_only=True, tag="breach_taken_back"):
    """A person decided that this breach did not happen, for a fact of `since` was heard of too late (S20).

    `until`: the moment at which that fact was judged instead. `attempt`: that of the breach.
    """

    metric: str
    cycle: int
    since: datetime
    until: datetime
    attempt: int = 0


Fact = (
    Created
    | CustomerReplied
    | AgentReplied
    | NoteAdded
    | StatusChanged
    | PriorityChanged
    | GroupChanged
    | Assigned
    | AttributesChanged
    | Merged
    | Unmerged
    | MergeReceived
    | Resolved
    | Reopened
    | Closed
    | Discarded
    | PolicyChanged
    | CalendarChanged
    | BreachTakenBack
)

SILENT = (NoteAdded, Created)
"""Kinds that say nothing once a ticket is there: a note never counts (S1), a ticket is created once."""

TAGS: dict[type[Fact], str] = {kind: str(kind.__struct_config__.tag) for kind in Fact.__args__}
"""How each kind is called in timelines, and as the cause of an outcome."""

_F = TypeVar("_F", bound=_Fact)


def clamped(fact: _F, *, known_at: datetime) -> tuple[_F, bool]:
    """Pull a fact from the future back to `known_at` and say whether that was needed (S21)."""
    if fact.at.astimezone(UTC) - known_at <= FUTURE_TOLERANCE:
        return fact, False
    return msgspec.structs.replace(fact, at=known_at), True
