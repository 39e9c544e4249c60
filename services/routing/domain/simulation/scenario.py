"""What a scenario says: settings, agents, and what happens one after the other."""

from datetime import datetime
from typing import Any

import msgspec

from shared.events.agents import CapacityUnits, OfferMode, Presence, RateLimit, WideningStep
from shared.events.base import Channel, Priority, StatusCategory

TicketName = str | int
Skills = dict[str, int] | list[str]
"""Name → level 1 to 5, or names alone, which mean level 1."""

Moment = datetime | float
"""A moment with its offset from UTC, or seconds after the scenario's start."""


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A misspelt field would silently change the result, so unknown ones are refused."""


class GroupSettings(_Part, frozen=True, kw_only=True):
    """What is said of one group; what is left out is as `config` says."""

    strategy: str | msgspec.UnsetType = msgspec.UNSET
    weights: dict[str, int] | msgspec.UnsetType = msgspec.UNSET
    rate_limit: RateLimit | msgspec.UnsetType | None = msgspec.UNSET
    sticky_seconds: int | msgspec.UnsetType | None = msgspec.UNSET
    units: CapacityUnits | msgspec.UnsetType | None = msgspec.UNSET
    widening: tuple[WideningStep, ...] | msgspec.UnsetType = msgspec.UNSET
    grace_seconds: int | msgspec.UnsetType | None = msgspec.UNSET
    offer: OfferMode | msgspec.UnsetType | None = msgspec.UNSET
    pull_lease_seconds: int | msgspec.UnsetType | None = msgspec.UNSET
    wait_seconds_max: int | msgspec.UnsetType | None = msgspec.UNSET
    escalates_to: str | msgspec.UnsetType | None = msgspec.UNSET
    on_sla_warning: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    is_active: bool = True


class Config(_Part, frozen=True, kw_only=True):
    """How every group shares out its work.

    `capacity_default`: for agents who do not say (`null`: no limit). `group`: where tickets and agents belong that name
    none; left out, the only group that is named anywhere, else one called `default`. `calendars`: for shifts, by id.
    """

    strategy: str = "least_loaded"
    weights: dict[str, int] = {}
    rate_limit: RateLimit | None = None
    sticky_seconds: int | None = None
    capacity_default: float | None = None
    group: str | None = None
    groups: dict[str, GroupSettings] = {}
    units: CapacityUnits | None = None
    widening: tuple[WideningStep, ...] = ()
    grace_seconds: int | None = None
    offer: OfferMode | None = None
    pull_lease_seconds: int | None = None
    wait_seconds_max: int | None = None
    escalates_to: str | None = None
    on_sla_warning: tuple[str, ...] = ()
    calendars: dict[str, dict[str, Any]] = {}


class AgentGiven(_Part, frozen=True, kw_only=True):
    """Somebody at the beginning. `open_load`: units in hand that no ticket of the scenario stands for.

    `pushed_at`: when routing gave work to this agent, for the rate limit; left out, `last_assigned_at` alone.
    """

    id: str
    name: str | None = None
    presence: Presence = Presence.ONLINE
    capacity: float | msgspec.UnsetType | None = msgspec.UNSET
    open_load: float = 0.0
    weight: int | None = None
    skills: Skills = {}
    groups: tuple[str, ...] | None = None
    last_assigned_at: datetime | None = None
    idle_since: datetime | None = None
    pushed_at: tuple[datetime, ...] | None = None
    is_active: bool = True
    channel_capacity: dict[str, float] = {}
    shift_calendar: str | None = None


class _Action(_Part, frozen=True, kw_only=True, tag_field="type"):
    """`at`: when; left out, at the same moment as the action before."""

    at: Moment | None = None


class Assign(_Action, frozen=True, kw_only=True, tag="assign"):
    """A ticket comes, or one that is there is asked about again. With `agent`: given by hand, whatever the load."""

    ticket: TicketName | None = None
    agent: str | None = None
    group: str | None = None
    priority: Priority = Priority.NORMAL
    skills: Skills = {}
    customer: str | None = None
    due_at: datetime | None = None
    channel: Channel = Channel.API
    optional_skills: Skills = {}


class Unassign(_Action, frozen=True, kw_only=True, tag="unassign"):
    """It is taken from its agent, who is not offered it again."""

    ticket: TicketName


class Reassign(_Action, frozen=True, kw_only=True, tag="reassign"):
    """It is given to this agent by hand; without `agent` it is taken away, and the others are asked."""

    ticket: TicketName
    agent: str | None = None


class ChangePresence(_Action, frozen=True, kw_only=True, tag="presence"):
    """An agent comes, goes, or is busy. `reassign`, for who leaves: what is unanswered goes back at once."""

    agent: str
    presence: Presence
    reassign: bool = False


class ChangeSkills(_Action, frozen=True, kw_only=True, tag="skills"):
    """An agent has these skills from now on."""

    agent: str
    skills: Skills


class ChangeAccount(_Action, frozen=True, kw_only=True, tag="account"):
    """An agent's account is closed, or opened again."""

    agent: str
    is_active: bool


class ChangeCapacity(_Action, frozen=True, kw_only=True, tag="capacity"):
    """An agent's limit is another one; `null` is none."""

    agent: str
    capacity: float | None


class Resolve(_Action, frozen=True, kw_only=True, tag="resolve"):
    """A ticket is solved; or an agent finishes one unit of `open_load`."""

    ticket: TicketName | None = None
    agent: str | None = None


class Close(_Action, frozen=True, kw_only=True, tag="close"):
    """A ticket is over for good."""

    ticket: TicketName


class Spam(_Action, frozen=True, kw_only=True, tag="spam"):
    """A ticket is spam."""

    ticket: TicketName


class Merge(_Action, frozen=True, kw_only=True, tag="merge"):
    """A ticket goes up in another one, `into`."""

    ticket: TicketName
    into: TicketName


class Reopen(_Action, frozen=True, kw_only=True, tag="reopen"):
    """A solved or closed ticket needs work again."""

    ticket: TicketName


class ChangeStatus(_Action, frozen=True, kw_only=True, tag="status"):
    """A ticket moves to another category, such as `pending`."""

    ticket: TicketName
    category: StatusCategory


class ChangeDue(_Action, frozen=True, kw_only=True, tag="due"):
    """Sla says when the ticket is due; `null`: nothing is promised any more."""

    ticket: TicketName
    due_at: datetime | None


class ChangePriority(_Action, frozen=True, kw_only=True, tag="priority"):
    """A ticket becomes more or less urgent."""

    ticket: TicketName
    priority: Priority


class Skip(_Action, frozen=True, kw_only=True, tag="skip"):
    """An agent (left out: who has it) does not take a ticket; `reason` is needed."""

    ticket: TicketName
    agent: str | None = None
    reason: str = ""


class ChangeTeam(_Action, frozen=True, kw_only=True, tag="team_change"):
    """A `ticket` goes to another `group`, or an `agent` is in other `groups` from now on."""

    ticket: TicketName | None = None
    group: str | None = None
    agent: str | None = None
    groups: tuple[str, ...] | None = None


class Transfer(_Action, frozen=True, kw_only=True, tag="transfer"):
    """A ticket goes to another group by hand."""

    ticket: TicketName
    group: str


class Next(_Action, frozen=True, kw_only=True, tag="next"):
    """An agent asks for the next ticket."""

    agent: str


class Accept(_Action, frozen=True, kw_only=True, tag="accept"):
    """The agent (left out: to whom it is offered) takes what is offered."""

    ticket: TicketName
    agent: str | None = None


class Decline(_Action, frozen=True, kw_only=True, tag="decline"):
    """The agent (left out: to whom it is offered) does not take what is offered; `reason` is needed."""

    ticket: TicketName
    agent: str | None = None
    reason: str = ""


class Expire(_Action, frozen=True, kw_only=True, tag="expire"):
    """The offer of a ticket runs out now, unanswered."""

    ticket: TicketName


class Escalate(_Action, frozen=True, kw_only=True, tag="escalate"):
    """A ticket goes to `group`, or to the next tier of its group; `reason` is needed."""

    ticket: TicketName
    group: str | None = None
    reason: str = ""
    note: str = ""


class Warn(_Action, frozen=True, kw_only=True, tag="sla_warning"):
    """Sla warns that a promise about the ticket is in danger."""

    ticket: TicketName


class Wait(_Action, frozen=True, kw_only=True, tag="wait"):
    """Nothing happens but that time goes by."""


Action = (
    Assign
    | Unassign
    | Reassign
    | ChangePresence
    | ChangeCapacity
    | ChangeSkills
    | ChangeAccount
    | Resolve
    | Close
    | Spam
    | Merge
    | Reopen
    | ChangeStatus
    | ChangePriority
    | ChangeDue
    | Skip
    | ChangeTeam
    | Transfer
    | Next
    | Accept
    | Decline
    | Expire
    | Escalate
    | Warn
    | Wait
)


class Scenario(_Part, frozen=True, kw_only=True):
    """One question. `id` comes back with the answer.

    `start_at`: the moment from which `at` in seconds counts; left out, that of the first action with a moment, else of
    the latest moment told of an agent, else the beginning of 2026.
    """

    id: str | int | None = None
    config: Config = Config()
    agents: tuple[AgentGiven, ...]
    actions: tuple[Action, ...]
    start_at: datetime | None = None
