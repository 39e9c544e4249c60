# ruff: noqa: E501 - one figure a line reads like the table it is
"""The catalogue of figures: each has one name, one meaning and one piece of SQL over schema `bi`.

The API runs it on PostgreSQL, people run it as `bi_reader`, and `ticketing report --sql` runs it on a lake with DuckDB:
it is written in what both databases understand. Pages and `GET /v1/reports` show it as it is.
"""

from typing import Final, Literal

import msgspec

Unit = Literal["tickets", "clocks", "share", "seconds", "count", "assignments"]


class Source(msgspec.Struct, frozen=True):
    """What figures are counted over.

    Attributes:
        sql: FROM clause.
        moment: what a period chooses by, a timestamptz or a date.
        group, channel: what those filters look at; None: they do not apply.
    """

    sql: str
    moment: str
    group: str | None = None
    channel: str | None = None


class Metric(msgspec.Struct, frozen=True):
    """One figure: an aggregate over its source."""

    name: str
    title: str
    unit: Unit
    sql: str
    meaning: str


class Report(msgspec.Struct, frozen=True):
    """Figures that belong together.

    Attributes:
        by: how it may be divided: name → SQL; the first is the usual one.
        metrics: names in METRICS; the first is plotted and orders the rows.
        where: what else must hold.
    """

    name: str
    title: str
    source: Source
    by: dict[str, str]
    metrics: tuple[str, ...]
    where: str = "1 = 1"


_TICKETS: Final = Source("bi.fct_ticket AS t", "t.created_at", "t.group_id", "t.channel")
_CLOCKS: Final = Source(
    "bi.fct_sla_cycle AS c JOIN bi.fct_ticket AS t ON t.ticket_id = c.ticket_id",
    "t.created_at", "t.group_id", "t.channel",
)  # fmt: skip
_STINTS: Final = Source(
    "bi.fct_assignment AS a JOIN bi.fct_ticket AS t ON t.ticket_id = a.ticket_id",
    "a.assigned_at", "a.group_id", "t.channel",
)  # fmt: skip
_SURVEYS: Final = Source(
    "bi.fct_satisfaction AS s JOIN bi.fct_ticket AS t ON t.ticket_id = s.ticket_id",
    "s.offered_at", "s.group_id", "t.channel",
)  # fmt: skip
_AGENT_DAYS: Final = Source(
    "bi.fct_agent_day AS d", "CAST(d.date_day AS TIMESTAMP) AT TIME ZONE 'UTC'"
)

_DAY: Final = "CAST(t.created_at AT TIME ZONE {zone} AS DATE)"
"""`{zone}` becomes the time zone in which days begin: UTC, or the one that is asked for."""
_OF_TICKETS: Final = {
    "day": _DAY,
    "status": "t.status",
    "channel": "t.channel",
    "group": "t.group_id",
    "type": "t.ticket_type",
    "priority": "t.priority",
}
_AGE: Final = "extract(epoch FROM (CAST({now} AS TIMESTAMPTZ) - t.created_at))"
"""`{now}` becomes a parameter: the moment as of which a report is asked for."""


def _share(condition: str, of: str = "count(*)") -> str:
    return f"CAST(count(*) FILTER (WHERE {condition}) AS DOUBLE PRECISION) / nullif({of}, 0)"


def _percentiles(
    name: str, title: str, column: str, meaning: str, *, where: str | None = None
) -> list[Metric]:
    chosen = f" FILTER (WHERE {where})" if where else ""
    return [
        Metric(
            f"{name}_p{share}", f"{title}, p{share}", "seconds",
            f"percentile_cont({share / 100}) WITHIN GROUP (ORDER BY {column}){chosen}",
            f"{meaning} {share} of 100 were as quick or quicker.",
        )
        for share in (50, 90, 99)
    ]  # fmt: skip


METRICS: Final[dict[str, Metric]] = {
    metric.name: metric
    for metric in (
        Metric("tickets", "Tickets", "tickets", "count(*)", "Tickets opened in the period."),
        Metric("open", "Open", "tickets", "count(*) FILTER (WHERE t.is_open)", "Of them, those neither solved nor closed now."),
        Metric("solved", "Solved", "tickets", "count(*) FILTER (WHERE t.full_resolution_seconds IS NOT NULL)", "Of them, those that were solved and are not open again."),
        Metric("breached", "With a broken promise", "tickets", "count(*) FILTER (WHERE t.is_sla_breached)", "Of them, those of which a clock was breached and the breach not retracted."),
        Metric("customers", "Customers", "count", "count(DISTINCT t.requester_id)", "Distinct requesters of them."),
        Metric("replied", "Answered", "tickets", "count(t.first_reply_seconds)", "Tickets with a first reply: a public message of a human agent who is not the requester (rule S1)."),
        *_percentiles("first_reply", "First reply", "t.first_reply_seconds", "Calendar seconds from opening to first reply (rule S1); tickets without one do not count."),
        *_percentiles("resolution", "Resolution", "t.full_resolution_seconds", "Calendar seconds from opening to last solved; tickets that are open again do not count."),
        *_percentiles("first_reply_business", "First reply, business time", "c.elapsed_business_seconds", "Seconds of the clock's own calendar used until the first reply.", where="c.metric = 'first_reply' AND c.state = 'met'"),
        *_percentiles("resolution_business", "Resolution, business time", "c.elapsed_business_seconds", "Seconds of the clock's own calendar, pauses left out, used until solved.", where="c.metric = 'resolution' AND c.state = 'met'"),
        Metric("clocks", "Clocks", "clocks", "count(*)", "SLA clocks of tickets opened in the period, every round counted."),
        Metric("decided", "Decided", "clocks", "count(*) FILTER (WHERE c.is_decided)", "Fulfilled or breached; running ones and those cancelled without a breach are undecided."),
        Metric("attained", "Kept", "clocks", "count(*) FILTER (WHERE c.is_attained)", "Fulfilled in time (rule S4: exactly at the deadline is in time)."),
        Metric("missed", "Broken", "clocks", "count(*) FILTER (WHERE c.is_breached)", "The deadline passed, and the breach was not retracted."),
        Metric("attained_share", "Share kept", "share", _share("c.is_attained", "count(*) FILTER (WHERE c.is_decided)"), "Kept, of those decided."),
        Metric("reopened", "Reopened", "tickets", "count(*) FILTER (WHERE t.is_reopened)", "Tickets that were opened again at least once."),
        Metric("reopened_share", "Share reopened", "share", _share("t.is_reopened"), "Reopened, of all tickets opened in the period."),
        Metric("one_touch_share", "Solved with one touch", "share", _share("t.resolution_count > 0 AND t.agent_reply_count <= 1", "count(*) FILTER (WHERE t.resolution_count > 0)"), "Of the tickets ever solved: with at most one public message of an agent."),
        Metric("agent_messages_mean", "Agent messages each", "count", "avg(CAST(t.agent_reply_count AS DOUBLE PRECISION))", "Public messages of human agents for a ticket, mean."),
        Metric("customer_messages_mean", "Customer messages each", "count", "avg(CAST(t.customer_message_count AS DOUBLE PRECISION))", "Messages of the customer for a ticket, mean."),
        Metric("handed_over_share", "Share handed over", "share", _share("t.group_handoff_count > 0"), "Tickets that changed their group; the first group does not count when a rule chose it or it came with the opening."),
        Metric("age_mean", "Mean age", "seconds", f"avg(CAST({_AGE} AS DOUBLE PRECISION))", "Calendar seconds since the opening of tickets that are open, mean."),
        Metric("age_max", "Oldest", "seconds", f"max(CAST({_AGE} AS DOUBLE PRECISION))", "Calendar seconds since the opening of the oldest ticket that is open."),
        Metric("unassigned", "Without an agent", "tickets", "count(*) FILTER (WHERE t.assignee_id IS NULL)", "Open tickets that nobody has."),
        Metric("assignments", "Assignments", "assignments", "count(*)", "Times that an agent got a ticket in the period."),
        Metric("handle_mean", "Handle time, mean", "seconds", "avg(a.handle_seconds)", "Seconds that a ticket was with the agent and it was the agent's turn (status new or open), for each assignment."),
        Metric("handle_p90", "Handle time, p90", "seconds", "percentile_cont(0.9) WITHIN GROUP (ORDER BY a.handle_seconds)", "The same; 90 of 100 assignments took no longer."),
        Metric("held_mean", "With the agent, mean", "seconds", "avg(a.held_seconds)", "Seconds that a ticket was with the agent, waiting for others included."),
        Metric("surveyed", "Asked", "count", "count(*)", "Customers who were asked in the period what they think of a solution, once for each solution."),
        Metric("rated", "Answered", "count", "count(s.score)", "Of them, those who said good or bad."),
        Metric("rated_good", "Good", "count", "count(*) FILTER (WHERE s.score = 'good')", "Of them, those whose last word is good."),
        Metric("rated_bad", "Bad", "count", "count(*) FILTER (WHERE s.score = 'bad')", "Of them, those whose last word is bad."),
        Metric("good_share", "Satisfied", "share", _share("s.score = 'good'", "count(s.score)"), "Good, of those who answered (CSAT)."),
        Metric("rated_share", "Share answered", "share", _share("s.score IS NOT NULL"), "Answered, of those who were asked."),
        Metric("good_to_bad", "From good to bad", "count", "count(*) FILTER (WHERE s.is_good_to_bad)", "Answers that ever went from good to bad."),
        Metric("bad_to_good", "From bad to good", "count", "count(*) FILTER (WHERE s.is_bad_to_good)", "Answers that ever went from bad to good."),
        Metric("commented", "With a comment", "count", "count(s.comment)", "Answers with the customer's own words."),
        Metric("agent_solved", "Solved", "tickets", "CAST(sum(d.solved_count) AS BIGINT)", "Tickets the agent solved in the period."),
        Metric("agent_assigned", "Got", "tickets", "CAST(sum(d.assigned_count) AS BIGINT)", "Tickets the agent got in the period."),
        Metric("agent_replies", "Replies", "count", "CAST(sum(d.reply_count) AS BIGINT)", "Public messages the agent wrote."),
        Metric("agent_notes", "Notes", "count", "CAST(sum(d.note_count) AS BIGINT)", "Notes the agent wrote."),
        Metric("online_seconds", "Online", "seconds", "sum(d.online_seconds)", "Seconds in presence online."),
        Metric("occupancy", "Occupancy", "share", "sum(d.held_seconds) FILTER (WHERE d.capacity > 0) / nullif(sum(d.online_seconds * d.capacity), 0)", "Seconds of tickets in hand, of the seconds online times the capacity; above 1: tickets stayed with the agent who was away."),
    )
}  # fmt: skip

REPORTS: Final[dict[str, Report]] = {
    report.name: report
    for report in (
        Report("volume", "Volume", _TICKETS, _OF_TICKETS, ("tickets", "open", "solved", "breached", "customers")),
        Report("first-reply", "First reply", _TICKETS, _OF_TICKETS, ("first_reply_p50", "first_reply_p90", "first_reply_p99", "replied", "tickets")),
        Report("resolution", "Resolution", _TICKETS, _OF_TICKETS, ("resolution_p50", "resolution_p90", "resolution_p99", "solved", "tickets")),
        Report(
            "business-time", "In business time", _CLOCKS, {"day": _DAY, "policy": "c.policy_id", "priority": "c.priority_applied", "group": "t.group_id"},
            ("first_reply_business_p50", "first_reply_business_p90", "first_reply_business_p99", "resolution_business_p50", "resolution_business_p90", "resolution_business_p99", "clocks"),
        ),
        Report("attainment", "Promises kept", _CLOCKS, {"metric": "c.metric", "policy": "c.policy_id", "group": "t.group_id", "priority": "c.priority_applied", "day": _DAY}, ("attained_share", "decided", "attained", "missed", "clocks")),
        Report("breach-causes", "Why promises broke", _CLOCKS, {"category": "c.breach_category", "cause": "c.breach_cause", "group": "c.breach_group_id", "agent": "c.breach_agent_id", "metric": "c.metric"}, ("missed",), where="c.is_breached"),
        Report(
            "backlog", "Backlog and its age", _TICKETS,
            {
                "age": f"CASE WHEN {_AGE} < 3600 THEN '1: under an hour' WHEN {_AGE} < 86400 THEN '2: under a day' WHEN {_AGE} < 259200 THEN '3: under 3 days' WHEN {_AGE} < 604800 THEN '4: under a week' WHEN {_AGE} < 2592000 THEN '5: under 30 days' ELSE '6: older' END",
                "status": "t.status", "group": "t.group_id", "priority": "t.priority", "channel": "t.channel",
            },
            ("tickets", "unassigned", "age_mean", "age_max", "breached"), where="t.is_open",
        ),
        Report("reopens", "Reopened, touches", _TICKETS, _OF_TICKETS, ("reopened_share", "reopened", "one_touch_share", "agent_messages_mean", "customer_messages_mean", "handed_over_share", "tickets")),
        Report("handle-time", "Handle time", _STINTS, {"agent": "a.agent_id", "group": "a.group_id", "type": "t.ticket_type", "channel": "t.channel"}, ("handle_mean", "handle_p90", "held_mean", "assignments")),
        Report("agents", "Agents", _AGENT_DAYS, {"agent": "d.agent_id", "day": "d.date_day"}, ("agent_solved", "agent_assigned", "agent_replies", "agent_notes", "online_seconds", "occupancy")),
        Report(
            "satisfaction", "Satisfaction", _SURVEYS,
            {"day": "CAST(s.offered_at AT TIME ZONE {zone} AS DATE)", "group": "s.group_id", "agent": "s.agent_id", "channel": "t.channel", "score": "s.score", "reason": "s.reason", "type": "t.ticket_type"},
            ("good_share", "rated", "rated_good", "rated_bad", "rated_share", "surveyed", "good_to_bad", "bad_to_good", "commented"),
        ),
        Report("customers", "Customers", _TICKETS, {"customer": "t.requester_id", "organisation": "t.organization_name"}, ("tickets", "open", "reopened_share", "breached")),
        Report("problems", "Frequent problems", _TICKETS, {"type": "t.ticket_type", "policy": "t.policy_id", "language": "t.language"}, ("tickets", "customers", "reopened_share", "resolution_p50")),
    )
}  # fmt: skip


def query_of(
    report: Report,
    by: str,
    *,
    placeholder: str,
    opened_from: bool = False,
    opened_before: bool = False,
    group: bool = False,
    channel: bool = False,
    time_zone: bool = False,
    limit: int = 500,
) -> str:
    """The SQL of a report.

    Args:
        report: which.
        by: how it is divided, a key of `report.by`.
        placeholder: how the database writes a parameter, with `{}` for its name: `%({})s` or `${}`. Parameters are
            `now` and those of the filters that are on.
        opened_from: whether that filter is on.
        opened_before: likewise.
        group: likewise.
        channel: likewise.
        time_zone: whether days are those of a parameter of this name; else of UTC.
        limit: rows at most; of days the newest.
    """
    source = report.source

    def given(name: str) -> str:
        return placeholder.format(name)

    conditions = [report.where]
    if opened_from:
        conditions.append(f"{source.moment} >= CAST({given('opened_from')} AS TIMESTAMPTZ)")
    if opened_before:
        conditions.append(f"{source.moment} < CAST({given('opened_before')} AS TIMESTAMPTZ)")
    if group and source.group:
        conditions.append(f"{source.group} = {given('group')}")
    if channel and source.channel:
        conditions.append(f"{source.channel} = {given('channel')}")
    figures = ", ".join(f'{METRICS[name].sql} AS "{name}"' for name in report.metrics)
    order = {"day": "1 DESC", "age": "1"}.get(by, f'"{report.metrics[0]}" DESC NULLS LAST, 1')
    sql = (
        f'SELECT {report.by[by]} AS "{by}", {figures} FROM {source.sql}'  # noqa: S608 - nothing in it is from outside
        f" WHERE {' AND '.join(conditions)} GROUP BY 1 ORDER BY {order} LIMIT {limit}"
    )
    if by == "day":
        sql = f"SELECT * FROM ({sql}) AS newest ORDER BY 1"  # noqa: S608 - as above
    zone = f"CAST({given('time_zone')} AS TEXT)" if time_zone else "'UTC'"
    return sql.replace("{now}", given("now")).replace("{zone}", zone)
