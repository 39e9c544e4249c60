-- Schema bi, completed: the missing facts and dimensions, business minutes beside calendar minutes, and
-- `export_position`, by which exports and incremental models know what is new.

-- How long an agent had a ticket, and how long it was the agent's turn, defined once.
CREATE VIEW assignment_figures AS
SELECT a.*, e.ends_at,
       extract(epoch FROM e.ends_at - a.assigned_at)::double precision AS held_seconds,
       (
           SELECT coalesce(sum(extract(epoch FROM
               least(coalesce(s.valid_to, now()), e.ends_at) - greatest(s.valid_from, a.assigned_at))), 0)::double precision
           FROM spans AS s
           WHERE s.ticket_id = a.ticket_id AND s.field = 'status' AND s.value IN ('new', 'open')
             AND s.valid_from < e.ends_at AND coalesce(s.valid_to, now()) > a.assigned_at
       ) AS handle_seconds
FROM assignments AS a
LEFT JOIN tickets AS t USING (ticket_id)
CROSS JOIN LATERAL (
    SELECT coalesce(a.ended_at, CASE WHEN t.is_open THEN now() ELSE coalesce(t.closed_at, t.resolved_at) END) AS ends_at
) AS e;

-- Who was online from when to when, from the events themselves.
CREATE VIEW presence_spans AS
SELECT raw ->> 'agent_id' AS agent_id, raw ->> 'presence' AS presence, occurred_at AS valid_from,
       lead(occurred_at) OVER (PARTITION BY stream_id ORDER BY version) AS valid_to
FROM timeline WHERE type = 'agent.presence_changed.v1';
CREATE INDEX timeline_presence ON timeline (stream_id, version) WHERE type = 'agent.presence_changed.v1';

CREATE OR REPLACE VIEW bi.dim_agent AS
SELECT agent_id, name AS agent_name, email, array_to_string(groups, ',') AS group_ids, capacity, is_active, presence,
       presence_since AS presence_since_at, changed_at, change_tx AS export_position
FROM agents;

CREATE OR REPLACE VIEW bi.dim_group AS
SELECT group_id, name AS group_name, strategy, is_active, changed_at, change_tx AS export_position FROM groups;

CREATE VIEW bi.dim_customer AS
SELECT requester_id,
       (array_agg(requester_name ORDER BY opened_at DESC) FILTER (WHERE requester_name IS NOT NULL))[1] AS requester_name,
       (array_agg(requester_email ORDER BY opened_at DESC) FILTER (WHERE requester_email IS NOT NULL))[1] AS requester_email,
       (array_agg(organization ORDER BY opened_at DESC) FILTER (WHERE organization IS NOT NULL))[1] AS organization_name,
       min(opened_at) AS first_ticket_at, max(opened_at) AS last_ticket_at, count(*) AS ticket_count,
       count(*) FILTER (WHERE is_open) AS open_ticket_count
FROM tickets WHERE version > 0 GROUP BY requester_id;

CREATE VIEW bi.dim_organisation AS
SELECT organization AS organization_name, count(DISTINCT requester_id) AS customer_count, min(opened_at) AS first_ticket_at,
       max(opened_at) AS last_ticket_at, count(*) AS ticket_count, count(*) FILTER (WHERE is_open) AS open_ticket_count
FROM tickets WHERE version > 0 AND organization IS NOT NULL GROUP BY organization;

CREATE VIEW bi.dim_policy AS
SELECT id || ':' || version AS policy_version_id, id AS policy_id, version AS policy_version,
       definition ->> 'name' AS policy_name, definition::text AS definition_json, actor_id, valid_from AS valid_from_at,
       lead(valid_from) OVER w AS valid_until_at, lead(valid_from) OVER w IS NULL AS is_current
FROM definitions WHERE kind = 'sla_policy' WINDOW w AS (PARTITION BY id ORDER BY version);

CREATE VIEW bi.dim_calendar AS
SELECT id || ':' || version AS calendar_version_id, id AS calendar_id, version AS calendar_version,
       definition ->> 'name' AS calendar_name, definition ->> 'time_zone' AS time_zone, tzdata_version,
       definition::text AS definition_json, actor_id, valid_from AS valid_from_at,
       lead(valid_from) OVER w AS valid_until_at, lead(valid_from) OVER w IS NULL AS is_current
FROM definitions WHERE kind = 'calendar' WINDOW w AS (PARTITION BY id ORDER BY version);

CREATE VIEW bi.dim_channel AS
SELECT channel, channel_name, is_from_customer FROM (VALUES
    ('api', 'API', true), ('email', 'E-mail', true), ('form', 'Web form', true), ('chat', 'Chat', true),
    ('messenger', 'Messenger', true), ('phone', 'Phone', true), ('agent', 'Written by an agent', false),
    ('import', 'Imported', false), ('system', 'Made by the system', false)
) AS known (channel, channel_name, is_from_customer);

CREATE OR REPLACE VIEW bi.fct_ticket AS
SELECT t.ticket_id, t.number AS ticket_number, t.external_id, t.category AS status, t.priority, t.initial_priority,
       t.ticket_type, t.via AS channel, t.language, t.requester_id, t.organization AS organization_name, t.group_id,
       t.assignee_id, t.is_open, t.is_outbound, t.opened_at AS created_at, t.first_reply_at,
       t.first_resolved_at AS first_solved_at, t.resolved_at AS last_solved_at, t.closed_at, t.changed_at AS updated_at,
       t.reopen_count, t.priority_change_count, f.group_handoff_count, t.assignment_count,
       f.first_reply_seconds, f.first_resolution_seconds, f.full_resolution_seconds, f.opened_to_closed_seconds,
       t.is_breached AS is_sla_breached, t.merged_into_id AS merged_into_ticket_id, f.is_reopened,
       t.agent_reply_count, t.customer_message_count, t.note_count, t.resolution_count,
       t.policy_id, t.policy_version, t.change_tx AS export_position
FROM tickets AS t JOIN ticket_figures AS f USING (ticket_id);

CREATE OR REPLACE VIEW bi.fct_ticket_event AS
SELECT stream_id || ':' || topic || ':' || version AS ticket_event_id, ticket_id, topic, version AS event_version,
       type AS event_type, occurred_at, recorded_at, actor_kind, actor_id, actor_name, via AS channel,
       correlation_id, causation_id, changes::text AS changes_json, change_tx AS export_position
FROM timeline WHERE ticket_id IS NOT NULL;

CREATE VIEW bi.fct_field_change AS
SELECT e.stream_id || ':' || e.topic || ':' || e.version || ':' || c.key AS field_change_id, e.ticket_id,
       c.key AS field_name, c.value ->> 0 AS previous_value, c.value ->> 1 AS value, e.occurred_at, e.recorded_at,
       e.actor_kind, e.actor_id, e.via AS channel, e.topic, e.version AS event_version, e.change_tx AS export_position
FROM timeline AS e CROSS JOIN LATERAL jsonb_each(e.changes) AS c WHERE e.ticket_id IS NOT NULL;

CREATE VIEW bi.fct_message AS
SELECT message_id, ticket_id, version AS event_version, kind AS message_kind, is_automatic, sent_at,
       author_kind AS actor_kind, author_id AS actor_id, author_name AS actor_name, via AS channel,
       length(body) AS body_chars, change_tx AS export_position
FROM messages;

CREATE OR REPLACE VIEW bi.fct_assignment AS
SELECT ticket_id || ':' || version AS assignment_id, ticket_id, agent_id, agent_name, group_id, assigned_at, ended_at,
       end_reason, held_seconds, mode, strategy, why, rule, rules_version, load_before, load_after, capacity,
       candidates_count, waited_seconds, actor_id, ended_at IS NULL AS is_current, handle_seconds,
       change_tx AS export_position
FROM assignment_figures;

-- The view lists its columns when it is made: it has to be made anew to know `change_tx`.
CREATE OR REPLACE VIEW cycle_figures AS
SELECT c.ticket_id, c.metric, c.cycle, c.version, c.policy_id, c.policy_version, c.calendar_id, c.calendar_version,
       c.priority, c.target_seconds, c.state, c.started_at, c.due_at, c.ended_at, c.elapsed_seconds, c.remaining_seconds,
       c.paused_seconds, c.margin_seconds, c.warned_at, c.is_breached, c.breach_id, c.breached_at, c.detected_at,
       c.breach_cause, c.breach_category, c.breach_group_id, c.breach_agent_id, c.retracted_at, c.cancel_reason,
       c.state IN ('running', 'paused') AS is_active,
       c.is_breached OR c.state = 'met' AS is_decided,
       CASE WHEN c.is_breached THEN false WHEN c.state = 'met' THEN true END AS is_attained,
       c.change_tx
FROM sla_cycles AS c;

CREATE OR REPLACE VIEW bi.fct_sla_cycle AS
SELECT ticket_id || ':' || metric || ':' || cycle AS sla_cycle_id, ticket_id, metric, cycle, policy_id, policy_version,
       calendar_id, calendar_version, priority AS priority_applied, state, target_seconds AS target_business_seconds,
       elapsed_seconds AS elapsed_business_seconds, paused_seconds AS paused_business_seconds,
       margin_seconds AS margin_business_seconds, started_at, due_at, ended_at, warned_at AS first_warned_at,
       breached_at, detected_at, retracted_at, breach_cause, breach_category, breach_group_id, breach_agent_id,
       cancel_reason, is_active, is_decided, is_attained, is_breached, change_tx AS export_position
FROM cycle_figures;

CREATE OR REPLACE VIEW bi.sla_policies AS
SELECT ticket_id || ':' || metric || ':' || cycle AS sla_event_id, ticket_id, policy_id AS sla_policy_name,
       policy_version, metric, started_at AS sla_applied_at, target_seconds / 60 AS target,
       calendar_id IS NOT NULL AS in_business_hours, calendar_id, calendar_version, priority AS priority_applied,
       coalesce(breached_at, due_at) AS sla_breach_at, elapsed_seconds / 60 AS sla_elapsed_time,
       paused_seconds / 60 AS sla_paused_time, is_active AS is_active_sla, is_breached AS is_sla_breach,
       remaining_seconds / 60 AS sla_remaining_time, extract(epoch FROM ended_at - started_at)::double precision / 60
           AS sla_elapsed_calendar_minutes, change_tx AS export_position
FROM cycle_figures;

CREATE OR REPLACE VIEW bi.ticket_metrics AS
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
       t.resolution_count > 0 AND t.agent_reply_count > 2 AS is_multi_touch_resolution,
       b.requester_wait_seconds / 60 AS requester_wait_time_in_business_minutes,
       b.agent_work_seconds / 60 AS agent_work_time_in_business_minutes,
       extract(epoch FROM t.first_assigned_at - t.opened_at)::double precision / 60
           AS first_assignment_time_calendar_minutes,
       b.policy_version AS sla_policy_version,
       b.priority_applied,
       b.calendar_id,
       b.calendar_version,
       t.via AS created_channel,
       t.ticket_type AS type,
       t.is_open,
       t.change_tx AS export_position
FROM tickets AS t
JOIN ticket_figures AS f USING (ticket_id)
CROSS JOIN LATERAL (
    SELECT max(c.elapsed_seconds) FILTER (WHERE c.metric = 'first_reply' AND c.state = 'met') AS first_reply_seconds,
           max(c.elapsed_seconds) FILTER (WHERE c.metric = 'resolution' AND c.state = 'met') AS resolution_seconds,
           sum(c.elapsed_seconds) FILTER (WHERE c.metric = 'requester_wait' AND c.state = 'met') AS requester_wait_seconds,
           sum(c.elapsed_seconds) FILTER (WHERE c.metric = 'agent_work' AND c.state = 'met') AS agent_work_seconds,
           (array_agg(c.policy_version ORDER BY c.version DESC))[1] AS policy_version,
           (array_agg(c.priority ORDER BY c.version DESC))[1] AS priority_applied,
           (array_agg(c.calendar_id ORDER BY c.version DESC))[1] AS calendar_id,
           (array_agg(c.calendar_version ORDER BY c.version DESC))[1] AS calendar_version
    FROM sla_cycles AS c WHERE c.ticket_id = t.ticket_id
) AS b
CROSS JOIN LATERAL (
    SELECT count(DISTINCT author_id) AS writers FROM messages AS w
    WHERE w.ticket_id = t.ticket_id AND w.kind IN ('agent', 'note') AND NOT w.is_automatic
) AS m;

CREATE OR REPLACE VIEW bi.ticket_enriched AS
SELECT t.ticket_id, t.number AS ticket_number, t.external_id, t.subject, t.category AS status, t.label AS status_label,
       t.priority, t.ticket_type AS type, t.via AS created_channel, t.language, array_to_string(t.tags, ',') AS ticket_tags,
       t.fields::text AS custom_fields_json, t.requester_id, t.requester_name, t.requester_email,
       t.organization AS organization_name, t.group_id, g.name AS group_name, t.assignee_id,
       coalesce(t.assignee_name, a.name) AS assignee_name, a.email AS assignee_email, t.opened_at AS created_at,
       t.changed_at AS updated_at, t.resolved_at AS last_solved_at, t.closed_at, t.resolution_summary,
       t.resolution_code, t.policy_id AS sla_policy_id, t.policy_version AS sla_policy_version, t.due_at AS next_due_at,
       t.is_at_risk, t.is_breached, t.is_open, t.merged_into_number AS merged_into_ticket_number,
       t.change_tx AS export_position
FROM tickets AS t
LEFT JOIN groups AS g USING (group_id)
LEFT JOIN agents AS a ON a.agent_id = t.assignee_id
WHERE t.version > 0;

CREATE VIEW bi.fct_agent_day AS
WITH held AS (
    SELECT a.agent_id, d.date_day, count(DISTINCT a.ticket_id) AS ticket_count,
           count(*) FILTER (WHERE a.assigned_at >= d.begins_at) AS assigned_count,
           sum(extract(epoch FROM least(a.ends_at, d.ends_at) - greatest(a.assigned_at, d.begins_at)))::double precision
               AS held_seconds,
           sum(a.handle_seconds) FILTER (WHERE a.assigned_at >= d.begins_at) AS handle_seconds
    FROM assignment_figures AS a
    CROSS JOIN LATERAL (
        SELECT day::date AS date_day, day AT TIME ZONE 'UTC' AS begins_at, (day + interval '1 day') AT TIME ZONE 'UTC' AS ends_at
        FROM generate_series(
            date_trunc('day', a.assigned_at AT TIME ZONE 'UTC'), greatest(a.ends_at, a.assigned_at) AT TIME ZONE 'UTC',
            interval '1 day'
        ) AS day
    ) AS d
    GROUP BY a.agent_id, d.date_day
), written AS (
    SELECT author_id AS agent_id, (sent_at AT TIME ZONE 'UTC')::date AS date_day,
           count(*) FILTER (WHERE kind = 'agent') AS reply_count, count(*) FILTER (WHERE kind = 'note') AS note_count
    FROM messages WHERE kind IN ('agent', 'note') AND author_kind = 'agent' AND NOT is_automatic
    GROUP BY 1, 2
), solved AS (
    SELECT actor_id AS agent_id, (occurred_at AT TIME ZONE 'UTC')::date AS date_day, count(*) AS solved_count
    FROM timeline WHERE type = 'ticket.resolved.v1' AND actor_kind = 'agent' GROUP BY 1, 2
), online AS (
    SELECT p.agent_id, d.date_day,
           sum(extract(epoch FROM least(coalesce(p.valid_to, now()), d.ends_at) - greatest(p.valid_from, d.begins_at)))
               ::double precision AS online_seconds
    FROM presence_spans AS p
    CROSS JOIN LATERAL (
        SELECT day::date AS date_day, day AT TIME ZONE 'UTC' AS begins_at, (day + interval '1 day') AT TIME ZONE 'UTC' AS ends_at
        FROM generate_series(
            date_trunc('day', p.valid_from AT TIME ZONE 'UTC'), coalesce(p.valid_to, now()) AT TIME ZONE 'UTC',
            interval '1 day'
        ) AS day
    ) AS d
    WHERE p.presence = 'online' GROUP BY p.agent_id, d.date_day
)
SELECT k.agent_id || ':' || k.date_day AS agent_day_id, k.agent_id, k.date_day, coalesce(h.assigned_count, 0) AS assigned_count,
       coalesce(h.ticket_count, 0) AS ticket_count, coalesce(s.solved_count, 0) AS solved_count,
       coalesce(w.reply_count, 0) AS reply_count, coalesce(w.note_count, 0) AS note_count,
       coalesce(h.held_seconds, 0) AS held_seconds, coalesce(h.handle_seconds, 0) AS handle_seconds,
       coalesce(o.online_seconds, 0) AS online_seconds, g.capacity
FROM (
    SELECT agent_id, date_day FROM held UNION SELECT agent_id, date_day FROM written
    UNION SELECT agent_id, date_day FROM solved UNION SELECT agent_id, date_day FROM online
) AS k
LEFT JOIN held AS h USING (agent_id, date_day)
LEFT JOIN written AS w USING (agent_id, date_day)
LEFT JOIN solved AS s USING (agent_id, date_day)
LEFT JOIN online AS o USING (agent_id, date_day)
LEFT JOIN agents AS g USING (agent_id);
