"""What is told to a sink: one alert began, is being looked at, is over; a summary of many; its end."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

import msgspec

TEST_METRIC: Final = "test"
"""What the alert of a test is about: nothing."""


class Action(StrEnum):
    """What happened to the alert."""

    TRIGGER = "trigger"
    ACKNOWLEDGE = "acknowledge"
    RESOLVE = "resolve"


class Kind(StrEnum):
    """A broken promise, or one that soon will be."""

    BREACH = "breach"
    WARNING = "warning"


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One broken promise that somebody should know of; identified by ids and numbers, never by a customer's words.

    `dedupe_key` is `sla:<ticket>:<metric>:<cycle>` (a warning adds its threshold) and stays the same
    in everything said about it. `breached_at` is the deadline (S19), null for a warning. `targets`: whom
    a ladder's step calls (`agent:anna`, `lead:technical`, `role:supervisor`; empty: whoever listens);
    `step`: which one (`2`; a page's level `2:1`).
    """

    alert_id: UUID
    dedupe_key: str
    kind: Kind
    ticket_id: UUID
    number: int | None
    metric: str
    cycle: int
    priority: str
    policy_id: str
    policy_version: int
    group_id: str | None
    agent_id: str | None
    due_at: datetime
    breached_at: datetime | None
    detected_at: datetime
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    resolved_at: datetime | None = None
    resolution: str | None = None
    targets: list[str] = []
    step: str | None = None

    @property
    def headline(self) -> str:
        """One line for people, for example `#42: first reply is overdue (urgent)`."""
        if self.metric == TEST_METRIC:
            return "Test of an alert sink: nothing is overdue"
        metric = self.metric.replace("_", " ")
        state = "is overdue" if self.kind is Kind.BREACH else "is due soon"
        name = f"#{self.number}" if self.number is not None else str(self.ticket_id)
        return f"{name}: {metric} {state} ({self.priority})"


class Called(msgspec.Struct, frozen=True, kw_only=True):
    """Whom an alert calls (`agent:anna`, `lead:technical` …) and how this one is reached, as far as somebody said."""

    target: str
    email: str | None = None
    phone: str | None = None
    slack: str | None = None


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """How this sink was told of the beginning: the delivery, the summary that said it (if one did), its receipt."""

    delivery_id: UUID
    summary_id: UUID | None = None
    receipt: Mapping[str, str] | None = None


class AlertNotice(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to say about one alert. `delivery_id` is the same on every attempt to say it.

    `forgiven` attempts were made before a person asked for a replay. `opening` is how the sink was
    told of the beginning, for what is said later. `called`: whom a ladder's step calls by it.
    """

    delivery_id: UUID
    action: Action
    alert: Alert
    attempt: int
    forgiven: int = 0
    opening: Opening | None = None
    called: tuple[Called, ...] = ()


class SummaryNotice(msgspec.Struct, frozen=True, kw_only=True):
    """Many things at once, because they were more than the storm cap lets through singly.

    Counts are whole; `first` holds a bounded number of them, the rest is in the delivery log under
    `delivery_id`. `called`: whom any of them calls.
    """

    delivery_id: UUID
    created_at: datetime
    triggered_count: int
    acknowledged_count: int
    resolved_count: int
    counts_by_metric: dict[str, int]
    counts_by_priority: dict[str, int]
    counts_by_group: dict[str, int]
    first: tuple[tuple[Action, Alert], ...]
    attempt: int
    forgiven: int = 0
    called: tuple[Called, ...] = ()

    @property
    def count(self) -> int:
        """How many single notices it stands for."""
        return self.triggered_count + self.acknowledged_count + self.resolved_count


class SummaryEndNotice(msgspec.Struct, frozen=True, kw_only=True):
    """Every alert that a summary began is over; said to sinks that keep state, once."""

    delivery_id: UUID
    summary_id: UUID
    count: int
    attempt: int
    forgiven: int = 0
    receipt: Mapping[str, str] | None = None


Notice = AlertNotice | SummaryNotice | SummaryEndNotice
