"""The judgement of promises: one pure engine for live work, imports, rebuilds and simulations.

No I/O and no clock: moments are arguments. The whole of it:

    rules = Rulebook(policies, calendars)          # every version that may matter, immutable
    state, outcomes = fold(None, Created(at=…), rules)
    state, outcomes = fold(state, AgentReplied(at=…), rules)
    timer = next_due(state)                        # wake up then (plus the allowed lateness, S19)
    state, outcomes = advance(state, now, rules)   # what time alone has done: warnings, breaches
    judged = evaluate(rules, facts, now)           # the same fold over a whole timeline

`fold` first lets time speak up to the fact's moment, so a caller that only ever folds misses
nothing but the stretch since the last fact. A late fact is put into its place (rule S20).
"""

from services.sla.engine.clockwork import UnknownVersion
from services.sla.engine.conditions import (
    VOCABULARY,
    Conditions,
    as_written_now,
    calendars_of,
)
from services.sla.engine.evaluation import Evaluation, Verdict, evaluate
from services.sla.engine.facts import (
    CATEGORIES,
    PRIORITIES,
    AgentReplied,
    Assigned,
    AttributesChanged,
    BreachTakenBack,
    CalendarChanged,
    Category,
    Closed,
    Created,
    CustomerReplied,
    Discarded,
    Fact,
    GroupChanged,
    Merged,
    MergeReceived,
    NoteAdded,
    PolicyChanged,
    Priority,
    PriorityChanged,
    Reopened,
    Resolved,
    StatusChanged,
    Unmerged,
    clamped,
)
from services.sla.engine.fold import TicketNotCreated, advance, fold, next_due
from services.sla.engine.impossible import impossible, unreachable
from services.sla.engine.ladders import Ladder, Level, Page, Step
from services.sla.engine.metrics import METRICS, Metric, Signal
from services.sla.engine.outcomes import (
    Breached,
    BreachRetracted,
    BreachUpheld,
    Cancelled,
    ClockOutcome,
    DueChanged,
    Met,
    NeedsReview,
    Outcome,
    Paused,
    PolicyApplied,
    Resumed,
    Started,
    Unschedulable,
    Warned,
)
from services.sla.engine.parsing import (
    InvalidRules,
    check_references,
    parse_calendars,
    parse_policies,
    parse_policy,
    parse_timeline,
)
from services.sla.engine.policies import (
    MetricRule,
    Policy,
    Target,
    Warn,
)
from services.sla.engine.remarks import remarks
from services.sla.engine.review import review
from services.sla.engine.rulebook import Rulebook
from services.sla.engine.state import Clock, State, decode, encode

__all__ = [
    "CATEGORIES",
    "METRICS",
    "PRIORITIES",
    "VOCABULARY",
    "AgentReplied",
    "Assigned",
    "AttributesChanged",
    "BreachRetracted",
    "BreachTakenBack",
    "BreachUpheld",
    "Breached",
    "CalendarChanged",
    "Cancelled",
    "Category",
    "Clock",
    "ClockOutcome",
    "Closed",
    "Conditions",
    "Created",
    "CustomerReplied",
    "Discarded",
    "DueChanged",
    "Evaluation",
    "Fact",
    "GroupChanged",
    "InvalidRules",
    "Ladder",
    "Level",
    "MergeReceived",
    "Merged",
    "Met",
    "Metric",
    "MetricRule",
    "NeedsReview",
    "NoteAdded",
    "Outcome",
    "Page",
    "Paused",
    "Policy",
    "PolicyApplied",
    "PolicyChanged",
    "Priority",
    "PriorityChanged",
    "Reopened",
    "Resolved",
    "Resumed",
    "Rulebook",
    "Signal",
    "Started",
    "State",
    "StatusChanged",
    "Step",
    "Target",
    "TicketNotCreated",
    "UnknownVersion",
    "Unmerged",
    "Unschedulable",
    "Verdict",
    "Warn",
    "Warned",
    "advance",
    "as_written_now",
    "calendars_of",
    "check_references",
    "clamped",
    "decode",
    "encode",
    "evaluate",
    "fold",
    "impossible",
    "next_due",
    "parse_calendars",
    "parse_policies",
    "parse_policy",
    "parse_timeline",
    "remarks",
    "review",
    "unreachable",
]
