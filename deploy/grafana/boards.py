# ruff: noqa: E501, S608 - one panel a line reads like the board it is; its SQL has nothing from outside
"""The boards for people who run a support organisation; those of on-call and of health are files of their own."""

from typing import Final

from deploy.grafana.panels import Board, Panel, of_catalogue

_OF_GROUP: Final = "coalesce(t.group_id, '-') IN (${group:sqlstring})"

OPERATIONS: Final = Board(
    name="operations",
    title="operations",
    says="What comes in, what is open, who is there; and whether these figures can be trusted now.",
    since="now-24h",
    refresh="30s",
    panels=(
        of_catalogue("backlog", None, "tickets", kind="stat", title="Open now", is_whole=True, width=4, height=4),
        of_catalogue("backlog", None, "unassigned", kind="stat", is_whole=True, width=4, height=4),
        of_catalogue("backlog", None, "breached", kind="stat", is_whole=True, width=4, height=4),
        of_catalogue("backlog", None, "age_max", kind="stat", is_whole=True, width=4, height=4),
        of_catalogue("volume", None, "tickets", kind="stat", title="Opened in the period", width=4, height=4),
        Panel(
            title="How old these figures are", says="How long ago the newest event applied had been recorded, while later ones wait; 0: none waits.", kind="stat",
            expressions=(('max(ticketing:consumer_lag_seconds{consumer="query"}) or vector(0)', ""),), unit="s", width=4, height=4,
        ),
        Panel(
            title="Opened by channel", says="Tickets opened in each hour, by the way they came in.", kind="timeseries", width=12,
            sql="SELECT date_trunc('hour', t.created_at) AS \"time\", t.channel AS metric, count(*) AS \"tickets\" FROM bi.fct_ticket AS t"
            f" WHERE t.created_at >= $__timeFrom() AND t.created_at < $__timeTo() AND {_OF_GROUP} GROUP BY 1, 2 ORDER BY 1", rows_max=20_000,
        ),
        of_catalogue("backlog", "group", "tickets", "unassigned", "breached", kind="table", title="Open by group", is_whole=True, width=12),
        Panel(title="Waiting for an agent", says="Tickets in routing's queues: nobody was eligible yet.", kind="timeseries", expressions=(("max(ticketing_routing_queued_tickets)", "queued"),)),
        Panel(title="Agents by presence", says="Agents known to routing, by presence.", kind="timeseries", expressions=(("max by (presence) (ticketing_routing_agents)", "{{presence}}"),)),
        Panel(title="Stored until visible", says="From an event being recorded to its being seen by readers.", kind="timeseries", unit="s",
              expressions=(("histogram_quantile(0.5, sum by (le) (rate(ticketing_query_visible_seconds_bucket[5m])))", "p50"), ("histogram_quantile(0.99, sum by (le) (rate(ticketing_query_visible_seconds_bucket[5m])))", "p99"))),
        Panel(title="Decisions a minute", says="Decisions about who works on a ticket, by kind.", kind="timeseries", expressions=(("sum by (kind) (rate(ticketing_routing_decisions_total[5m])) * 60", "{{kind}}"),)),
        Panel(title="Requests that failed", says="Answers with a status of 500 or above, a minute, by service.", kind="timeseries", expressions=(('sum by (service) (rate(ticketing_http_request_seconds_count{status=~"5.."}[5m])) * 60', "{{service}}"),)),
        Panel(title="Set aside", says="Tickets whose events wait until a person decides, by consumer.", kind="timeseries", expressions=(("max by (consumer) (ticketing_consumer_parked_streams)", "{{consumer}}"),)),
    ),
)  # fmt: skip

SLA: Final = Board(
    name="sla-attainment",
    title="SLA attainment",
    says="Promises kept and broken, by metric, policy, group and priority, and why they broke. A clock belongs to the period in which its ticket was opened.",
    panels=(
        of_catalogue("attainment", None, "attained_share", kind="stat", width=6, height=4),
        of_catalogue("attainment", None, "decided", kind="stat", width=6, height=4),
        of_catalogue("attainment", None, "missed", kind="stat", width=6, height=4),
        of_catalogue("attainment", None, "clocks", kind="stat", width=6, height=4),
        of_catalogue("attainment", "day", "attained_share", kind="timeseries", title="Share kept by day", width=12),
        of_catalogue("attainment", "day", "attained", "missed", kind="timeseries", title="Kept and broken by day", width=12),
        of_catalogue("attainment", "metric", "attained_share", "decided", "missed", kind="table", title="By metric"),
        of_catalogue("attainment", "group", "attained_share", "decided", "missed", kind="table", title="By group"),
        of_catalogue("attainment", "policy", "attained_share", "decided", "missed", kind="table", title="By policy"),
        of_catalogue("attainment", "priority", "attained_share", "decided", "missed", kind="table", title="By priority"),
        of_catalogue("breach-causes", "category", "missed", kind="barchart", title="Why they broke: kind of cause"),
        of_catalogue("breach-causes", "cause", "missed", kind="table", title="Why they broke"),
        of_catalogue("business-time", "day", "first_reply_business_p50", "first_reply_business_p90", kind="timeseries", title="First reply in business time", width=12),
        of_catalogue("business-time", "day", "resolution_business_p50", "resolution_business_p90", kind="timeseries", title="Resolution in business time", width=12),
        Panel(
            title="Due next", says="Clocks that run, the next deadline first.", kind="table", width=24, rows_max=50,
            sql='SELECT t.ticket_number AS "ticket", c.metric, c.due_at, c.due_at < now() AS "is_overdue", c.priority_applied AS "priority", t.group_id AS "group", t.assignee_id AS "agent"'
            " FROM bi.fct_sla_cycle AS c JOIN bi.fct_ticket AS t ON t.ticket_id = c.ticket_id"
            f" WHERE c.is_active AND c.due_at IS NOT NULL AND NOT c.is_breached AND {_OF_GROUP} ORDER BY c.due_at, t.ticket_number, c.metric LIMIT 50",
        ),
    ),
)  # fmt: skip

AGENTS: Final = Board(
    name="agents",
    title="agents",
    says="Work done, time in hand and time online, agent by agent. For planning and for help, not for a ranking.",
    panels=(
        of_catalogue("agents", None, "agent_solved", kind="stat", width=6, height=4),
        of_catalogue("agents", None, "agent_replies", kind="stat", width=6, height=4),
        of_catalogue("agents", None, "occupancy", kind="stat", width=6, height=4),
        of_catalogue("handle-time", None, "handle_mean", kind="stat", width=6, height=4),
        of_catalogue("agents", "agent", "agent_solved", "agent_assigned", "agent_replies", "agent_notes", "online_seconds", "occupancy", kind="table", title="Agent by agent", width=24, height=10),
        of_catalogue("agents", "day", "agent_solved", "agent_assigned", kind="timeseries", title="Got and solved by day", width=12),
        of_catalogue("agents", "day", "occupancy", kind="timeseries", title="Occupancy by day", width=12),
        of_catalogue("handle-time", "agent", "handle_mean", "handle_p90", "held_mean", "assignments", kind="table", title="Handle time by agent", width=12),
        of_catalogue("handle-time", "group", "handle_mean", "handle_p90", "held_mean", "assignments", kind="table", title="Handle time by group", width=12),
        Panel(
            title="Here now", says="Agents in use, what they have open and since when they are there. Working: new and open tickets, the agent's turn.", kind="table", width=24, rows_max=500,
            sql='SELECT coalesce(a.agent_name, a.agent_id) AS "agent", a.presence, a.presence_since_at, a.capacity, count(t.ticket_id) AS "open",'
            " count(t.ticket_id) FILTER (WHERE t.status IN ('new', 'open')) AS \"working\""
            f" FROM bi.dim_agent AS a LEFT JOIN bi.fct_ticket AS t ON t.assignee_id = a.agent_id AND t.is_open AND {_OF_GROUP}"
            ' WHERE a.is_active GROUP BY a.agent_id, a.agent_name, a.presence, a.presence_since_at, a.capacity ORDER BY "open" DESC, 1 LIMIT 500',
        ),
    ),
)  # fmt: skip

FLOW: Final = Board(
    name="backlog-flow",
    title="backlog and flow",
    says="What comes in against what is solved, what stays, and how old it gets.",
    panels=(
        of_catalogue("volume", "day", "tickets", "solved", kind="timeseries", title="Opened by day, and how many of them are solved", width=12),
        Panel(
            title="Solved and opened again by day", says="Events, not tickets: one that is solved twice counts twice. By the day on which it happened.", kind="timeseries", width=12, rows_max=4_000,
            sql="SELECT date_trunc('day', e.occurred_at, 'UTC') AS \"time\", count(*) FILTER (WHERE e.event_type = 'ticket.resolved.v1') AS \"Solved\","
            " count(*) FILTER (WHERE e.event_type = 'ticket.reopened.v1') AS \"Opened again\" FROM bi.fct_ticket_event AS e JOIN bi.fct_ticket AS t ON t.ticket_id = e.ticket_id"
            f" WHERE e.occurred_at >= $__timeFrom() AND e.occurred_at < $__timeTo() AND e.event_type IN ('ticket.resolved.v1', 'ticket.reopened.v1') AND {_OF_GROUP} GROUP BY 1 ORDER BY 1",
        ),
        Panel(
            title="Backlog at the end of each day", says="Tickets open at the last instant of each UTC day (today: now), by status; exact, not sampled.", kind="timeseries", width=12, rows_max=20_000,
            sql="SELECT CAST(t.date_day AS TIMESTAMP) AT TIME ZONE 'UTC' AS \"time\", t.status AS metric, count(*) AS \"tickets\" FROM bi.ticket_backlog AS t"
            f" WHERE t.date_day >= CAST($__timeFrom() AS DATE) AND t.date_day <= CAST($__timeTo() AS DATE) AND {_OF_GROUP} GROUP BY 1, 2 ORDER BY 1",
        ),
        of_catalogue("backlog", "age", "tickets", "unassigned", kind="barchart", title="Open by age", is_whole=True, width=12),
        of_catalogue("backlog", "status", "tickets", "age_mean", "age_max", kind="table", title="Open by status", is_whole=True),
        of_catalogue("backlog", "group", "tickets", "unassigned", "age_mean", "breached", kind="table", title="Open by group", is_whole=True),
        of_catalogue("backlog", "priority", "tickets", "unassigned", "age_mean", "breached", kind="table", title="Open by priority", is_whole=True),
        of_catalogue("first-reply", "day", "first_reply_p50", "first_reply_p90", kind="timeseries", title="First reply", width=12),
        of_catalogue("resolution", "day", "resolution_p50", "resolution_p90", kind="timeseries", title="Resolution", width=12),
        of_catalogue("reopens", "day", "reopened_share", "one_touch_share", kind="timeseries", title="Opened again; solved with one touch", width=12),
        of_catalogue("volume", "channel", "tickets", "open", kind="barchart", title="Opened by channel", width=12),
        of_catalogue("problems", "type", "tickets", "customers", "reopened_share", kind="table", title="Frequent kinds", width=12),
        of_catalogue("customers", "organisation", "tickets", "open", "reopened_share", kind="table", title="Customers' organisations", width=12),
    ),
)  # fmt: skip

CHANNELS: Final = Board(
    name="channels",
    title="channels",
    says="What comes in and goes out, channel by channel, and whether anything waits or was given up.",
    since="now-24h",
    refresh="30s",
    panels=(
        Panel(title="Visitors in the chat", says="Visitors connected to the live chat, over all processes.", kind="stat", expressions=(('sum(ticketing_intake_chat_sockets_count{side="visitor"}) or vector(0)', ""),), width=6, height=4),
        Panel(title="Waiting to be sent", says="Messages in the outboxes that are to be sent yet.", kind="stat", expressions=(("sum(max by (channel) (ticketing_intake_outbox_waiting_count)) or vector(0)", ""),), width=6, height=4),
        Panel(title="The oldest waits for", says="How long ago the oldest message that is to be sent yet was written.", kind="stat", expressions=(("max(ticketing_intake_outbox_oldest_seconds) or vector(0)", ""),), unit="s", width=6, height=4),
        Panel(title="Given up", says="Messages that somebody did not get and nobody tries any more: retry or discard them.", kind="stat", expressions=(("sum(max by (channel) (ticketing_intake_outbox_dead_count)) or vector(0)", ""),), width=6, height=4),
        Panel(title="Came in a minute", says="Messages, forms and calls stored, a minute, by channel.", kind="timeseries", expressions=(("sum by (channel) (rate(ticketing_intake_messages_in_total[5m])) * 60", "{{channel}}"),), width=12),
        Panel(title="Left a minute", says="Messages handed over, a minute, by channel.", kind="timeseries", expressions=(('sum by (channel) (rate(ticketing_intake_messages_out_total{outcome="sent"}[5m])) * 60', "{{channel}}"),), width=12),
        Panel(title="Failed a minute", says="Attempts to hand over that failed, a minute, by channel and what follows: later, dead, or away.", kind="timeseries", expressions=(('sum by (channel, outcome) (rate(ticketing_intake_messages_out_total{outcome!="sent"}[5m])) * 60', "{{channel}} {{outcome}}"),)),
        Panel(title="Waiting by channel", says="Messages that are to be sent yet, by channel.", kind="timeseries", expressions=(("max by (channel) (ticketing_intake_outbox_waiting_count)", "{{channel}}"),)),
        Panel(title="People in the chat", says="Sockets of the live chat, by side.", kind="timeseries", expressions=(("sum by (side) (ticketing_intake_chat_sockets_count)", "{{side}}"),)),
    ),
)  # fmt: skip

BOARDS: Final = (OPERATIONS, SLA, AGENTS, FLOW, CHANNELS)
