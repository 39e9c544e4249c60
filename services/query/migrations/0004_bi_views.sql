-- Schema bi, version 1: stable names for business intelligence, those of the dbt_zendesk marts where they exist.
-- From now on columns are only added. Times are UTC; "minutes" are whole and fractional minutes as numbers.
-- The views read the tables with the rights of this service's role; bi_reader sees nothing but the views.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'bi') THEN
        CREATE SCHEMA bi;
    END IF;
END $$;

CREATE VIEW bi.dim_agent AS
SELECT agent_id, name AS agent_name, email, array_to_string(groups, ',') AS group_ids, capacity, is_active, presence,
       presence_since AS presence_since_at, changed_at
FROM agents;

CREATE VIEW bi.dim_group AS
SELECT group_id, name AS group_name, strategy, is_active, changed_at FROM groups;

CREATE VIEW bi.dim_date AS
SELECT day::date AS date_day,
       extract(year FROM day)::integer AS year,
       extract(quarter FROM day)::integer AS quarter,
       extract(month FROM day)::integer AS month,
       to_char(day, 'YYYY-MM') AS year_month,
       extract(week FROM day)::integer AS iso_week,
       extract(isoyear FROM day)::integer AS iso_year,
       extract(isodow FROM day)::integer AS iso_day_of_week,
       to_char(day, 'FMDay') AS day_name,
       extract(isodow FROM day) >= 6 AS is_weekend
FROM generate_series(
    coalesce((SELECT min(opened_at) FROM tickets), now()) AT TIME ZONE 'UTC',
    (now() AT TIME ZONE 'UTC') + interval '1 year',
    interval '1 day'
) AS day;

CREATE VIEW bi.fct_ticket AS
SELECT t.ticket_id, t.number AS ticket_number, t.external_id, t.category AS status, t.priority, t.initial_priority,
       t.ticket_type, t.via AS channel, t.language, t.requester_id, t.organization AS organization_name, t.group_id,
       t.assignee_id, t.is_open, t.is_outbound, t.opened_at AS created_at, t.first_reply_at,
       t.first_resolved_at AS first_solved_at, t.resolved_at AS last_solved_at, t.closed_at, t.changed_at AS updated_at,
       t.reopen_count, t.priority_change_count, f.group_handoff_count, t.assignment_count,
       f.first_reply_seconds, f.first_resolution_seconds, f.full_resolution_seconds, f.opened_to_closed_seconds,
       t.is_breached AS is_sla_breached, t.merged_into_id AS merged_into_ticket_id, f.is_reopened
FROM tickets AS t JOIN ticket_figures AS f USING (ticket_id);

CREATE VIEW bi.fct_ticket_event AS
SELECT stream_id || ':' || topic || ':' || version AS ticket_event_id, ticket_id, topic, version AS event_version,
       type AS event_type, occurred_at, recorded_at, actor_kind, actor_id, actor_name, via AS channel,
       correlation_id, causation_id, changes::text AS changes_json
FROM timeline WHERE ticket_id IS NOT NULL;

CREATE VIEW bi.fct_assignment AS
SELECT a.ticket_id || ':' || a.version AS assignment_id, a.ticket_id, a.agent_id, a.agent_name, a.group_id,
       a.assigned_at, a.ended_at, a.end_reason,
       extract(epoch FROM coalesce(a.ended_at, CASE WHEN t.is_open THEN now() ELSE coalesce(t.closed_at, t.resolved_at) END)
           - a.assigned_at)::double precision AS held_seconds,
       a.mode, a.strategy, a.why, a.rule, a.rules_version, a.load_before, a.load_after, a.capacity,
       a.candidates_count, a.waited_seconds, a.actor_id, a.ended_at IS NULL AS is_current
FROM assignments AS a LEFT JOIN tickets AS t USING (ticket_id);

CREATE VIEW bi.fct_sla_cycle AS
SELECT ticket_id || ':' || metric || ':' || cycle AS sla_cycle_id, ticket_id, metric, cycle, policy_id, policy_version,
       calendar_id, calendar_version, priority AS priority_applied, state, target_seconds AS target_business_seconds,
       elapsed_seconds AS elapsed_business_seconds, paused_seconds AS paused_business_seconds,
       margin_seconds AS margin_business_seconds, started_at, due_at, ended_at, warned_at AS first_warned_at,
       breached_at, detected_at, retracted_at, breach_cause, breach_category, breach_group_id, breach_agent_id,
       cancel_reason, is_active, is_decided, is_attained, is_breached
FROM cycle_figures;

CREATE VIEW bi.sla_policies AS
SELECT ticket_id || ':' || metric || ':' || cycle AS sla_event_id, ticket_id, policy_id AS sla_policy_name,
       policy_version, metric, started_at AS sla_applied_at, target_seconds / 60 AS target,
       calendar_id IS NOT NULL AS in_business_hours, calendar_id, calendar_version, priority AS priority_applied,
       coalesce(breached_at, due_at) AS sla_breach_at, elapsed_seconds / 60 AS sla_elapsed_time,
       paused_seconds / 60 AS sla_paused_time, is_active AS is_active_sla, is_breached AS is_sla_breach
FROM cycle_figures;

CREATE VIEW bi.ticket_metrics AS
SELECT t.ticket_id, t.number AS ticket_number, t.category AS status, t.priority, t.group_id, t.assignee_id,
       t.opened_at AS created_at,
       f.first_reply_seconds / 60 AS first_reply_time_calendar_minutes,
       b.first_reply_seconds / 60 AS first_reply_time_business_minutes,
       f.first_resolution_seconds / 60 AS first_resolution_calendar_minutes,
       f.full_resolution_seconds / 60 AS full_resolution_calendar_minutes,
       b.resolution_seconds / 60 AS full_resolution_business_minutes,
       f.opened_to_closed_seconds / 60 AS opened_to_closed_calendar_minutes,
       f.agent_wait_seconds / 60 AS agent_wait_time_in_calendar_minutes,
       f.requester_wait_seconds / 60 AS requester_wait_time_in_calendar_minutes,
       f.agent_work_seconds / 60 AS agent_work_time_in_calendar_minutes,
       f.hold_seconds / 60 AS on_hold_time_in_calendar_minutes,
       f.new_seconds / 60 AS new_status_duration_in_calendar_minutes,
       f.open_seconds / 60 AS open_status_duration_in_calendar_minutes,
       f.answered_seconds / 60 AS answered_status_duration_in_calendar_minutes,
       f.postponed_seconds / 60 AS postponed_status_duration_in_calendar_minutes,
       f.unassigned_seconds / 60 AS ticket_unassigned_duration_calendar_minutes,
       f.unsolved_age_seconds / 60 AS unsolved_ticket_age_minutes,
       t.first_assigned_at AS first_agent_assignment_date,
       t.assigned_at AS last_agent_assignment_date,
       CASE WHEN NOT t.is_open THEN extract(epoch FROM t.resolved_at - t.first_assigned_at)::double precision / 60 END
           AS first_assignment_to_resolution_calendar_minutes,
       CASE WHEN NOT t.is_open THEN extract(epoch FROM t.resolved_at - t.assigned_at)::double precision / 60 END
           AS last_assignment_to_resolution_calendar_minutes,
       t.resolution_count AS count_resolutions,
       t.reopen_count AS count_reopens,
       m.writers AS count_ticket_handoffs,
       t.assignment_count AS assignee_stations_count,
       cardinality(t.assignee_ids) AS unique_assignee_count,
       t.group_change_count AS group_stations_count,
       f.group_handoff_count,
       t.agent_reply_count AS count_public_agent_comments,
       t.note_count AS count_internal_comments,
       t.customer_message_count AS count_end_user_comments,
       t.agent_reply_count + t.customer_message_count AS count_public_comments,
       t.agent_reply_count + t.customer_message_count + t.note_count AS total_comments,
       t.resolution_count > 0 AND t.agent_reply_count <= 1 AS is_one_touch_resolution,
       t.resolution_count > 0 AND t.agent_reply_count = 2 AS is_two_touch_resolution,
       t.resolution_count > 0 AND t.agent_reply_count > 2 AS is_multi_touch_resolution
FROM tickets AS t
JOIN ticket_figures AS f USING (ticket_id)
CROSS JOIN LATERAL (
    SELECT max(c.elapsed_seconds) FILTER (WHERE c.metric = 'first_reply' AND c.state = 'met') AS first_reply_seconds,
           max(c.elapsed_seconds) FILTER (WHERE c.metric = 'resolution' AND c.state = 'met') AS resolution_seconds
    FROM sla_cycles AS c WHERE c.ticket_id = t.ticket_id
) AS b
CROSS JOIN LATERAL (
    SELECT count(DISTINCT author_id) AS writers FROM messages AS w
    WHERE w.ticket_id = t.ticket_id AND w.kind IN ('agent', 'note') AND NOT w.is_automatic
) AS m;

CREATE VIEW bi.ticket_enriched AS
SELECT t.ticket_id, t.number AS ticket_number, t.external_id, t.subject, t.category AS status, t.label AS status_label,
       t.priority, t.ticket_type AS type, t.via AS created_channel, t.language, array_to_string(t.tags, ',') AS ticket_tags,
       t.fields::text AS custom_fields_json, t.requester_id, t.requester_name, t.requester_email,
       t.organization AS organization_name, t.group_id, g.name AS group_name, t.assignee_id,
       coalesce(t.assignee_name, a.name) AS assignee_name, a.email AS assignee_email, t.opened_at AS created_at,
       t.changed_at AS updated_at, t.resolved_at AS last_solved_at, t.closed_at, t.resolution_summary,
       t.resolution_code, t.policy_id AS sla_policy_id, t.policy_version AS sla_policy_version, t.due_at AS next_due_at,
       t.is_at_risk, t.is_breached, t.is_open, t.merged_into_number AS merged_into_ticket_number
FROM tickets AS t
LEFT JOIN groups AS g USING (group_id)
LEFT JOIN agents AS a ON a.agent_id = t.assignee_id
WHERE t.version > 0;

CREATE VIEW bi.ticket_summary AS
SELECT (SELECT count(*) FROM agents WHERE is_active) AS active_agent_count,
       count(DISTINCT requester_id) AS end_user_count,
       count(*) AS ticket_count,
       count(*) FILTER (WHERE category = 'new') AS new_ticket_count,
       count(*) FILTER (WHERE category = 'open') AS open_ticket_count,
       count(*) FILTER (WHERE category = 'answered') AS answered_ticket_count,
       count(*) FILTER (WHERE category = 'pending') AS pending_ticket_count,
       count(*) FILTER (WHERE category = 'hold') AS on_hold_ticket_count,
       count(*) FILTER (WHERE category = 'postponed') AS postponed_ticket_count,
       count(*) FILTER (WHERE category IN ('solved', 'closed')) AS solved_ticket_count,
       count(*) FILTER (WHERE is_open) AS unsolved_ticket_count,
       count(*) FILTER (WHERE assignee_id IS NOT NULL) AS assigned_ticket_count,
       count(*) FILTER (WHERE is_open AND assignee_id IS NULL) AS unassigned_unsolved_ticket_count,
       count(*) FILTER (WHERE agent_reply_count = 0) AS unreplied_ticket_count,
       count(*) FILTER (WHERE is_open AND agent_reply_count = 0) AS unreplied_unsolved_ticket_count,
       count(*) FILTER (WHERE assignment_count > 1) AS reassigned_ticket_count,
       count(*) FILTER (WHERE reopen_count > 0) AS reopened_ticket_count,
       count(*) FILTER (WHERE is_breached) AS breached_ticket_count
FROM tickets WHERE version > 0;

CREATE VIEW bi.ticket_field_history AS
SELECT e.ticket_id, c.key AS field_name, c.value ->> 1 AS value, c.value ->> 0 AS previous_value,
       e.occurred_at AS valid_starting_at,
       lead(e.occurred_at) OVER w AS valid_ending_at,
       lead(e.occurred_at) OVER w IS NULL AS is_current,
       e.actor_kind AS user_kind, e.actor_id AS user_id, e.via AS channel, e.topic, e.version AS event_version
FROM timeline AS e CROSS JOIN LATERAL jsonb_each(e.changes) AS c
WHERE e.ticket_id IS NOT NULL
WINDOW w AS (PARTITION BY e.ticket_id, c.key ORDER BY e.version);

-- Exact, not sampled: what was open at the last instant of each UTC day (of today: now).
CREATE VIEW bi.ticket_backlog AS
SELECT d.date_day, s.ticket_id, t.number AS ticket_number, s.value AS status, p.value AS priority,
       g.value AS group_id, a.agent_id AS assignee_id, t.via AS created_channel, t.opened_at AS created_at,
       extract(epoch FROM d.ends_at - t.opened_at)::double precision / 60 AS age_minutes
FROM spans AS s
JOIN tickets AS t ON t.ticket_id = s.ticket_id
CROSS JOIN LATERAL (
    SELECT day::date AS date_day, least((day + interval '1 day') AT TIME ZONE 'UTC', now()) AS ends_at
    FROM generate_series(
        date_trunc('day', s.valid_from AT TIME ZONE 'UTC'),
        least(coalesce(s.valid_to, now()), now()) AT TIME ZONE 'UTC',
        interval '1 day'
    ) AS day
) AS d
LEFT JOIN LATERAL (
    SELECT value FROM spans AS x WHERE x.ticket_id = s.ticket_id AND x.field = 'priority'
    AND x.valid_from < d.ends_at AND (x.valid_to IS NULL OR x.valid_to >= d.ends_at) ORDER BY version DESC LIMIT 1
) AS p ON true
LEFT JOIN LATERAL (
    SELECT value FROM spans AS x WHERE x.ticket_id = s.ticket_id AND x.field = 'group'
    AND x.valid_from < d.ends_at AND (x.valid_to IS NULL OR x.valid_to >= d.ends_at) ORDER BY version DESC LIMIT 1
) AS g ON true
LEFT JOIN LATERAL (
    SELECT agent_id FROM assignments AS x WHERE x.ticket_id = s.ticket_id
    AND x.assigned_at < d.ends_at AND (x.ended_at IS NULL OR x.ended_at >= d.ends_at) ORDER BY version DESC LIMIT 1
) AS a ON true
WHERE s.field = 'status' AND s.value NOT IN ('solved', 'closed')
  AND s.valid_from < d.ends_at AND (s.valid_to IS NULL OR s.valid_to >= d.ends_at);
