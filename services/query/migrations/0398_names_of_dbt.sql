-- The columns of dbt_zendesk that were missing, business minutes of each status among them. What nobody here knows is
-- listed with its reason in docs/bi-howto.md.

-- When a calendar is open between two moments, by the rules of shared/calendar (C2 to C5), for figures: what is promised
-- and broken is decided there. `previous` holds on the days before the definition's `effective_from`.
CREATE FUNCTION open_time(definition jsonb, previous jsonb, since timestamptz, until timestamptz) RETURNS tstzmultirange
LANGUAGE sql STABLE AS $$
    SELECT (coalesce(range_agg(tstzrange(e.opens, e.closes)) FILTER (WHERE NOT e.is_break), '{}')
            - coalesce(range_agg(tstzrange(e.opens, e.closes)) FILTER (WHERE e.is_break), '{}'))
        * tstzmultirange(tstzrange(since, greatest(since, until)))
    FROM generate_series(
        date_trunc('day', since AT TIME ZONE 'UTC') - interval '2 days', greatest(since, until) AT TIME ZONE 'UTC' + interval '2 days',
        interval '1 day'
    ) AS day
    CROSS JOIN LATERAL (
        SELECT day::date::text AS name,
               CASE WHEN previous IS NOT NULL AND day::date < (definition ->> 'effective_from')::date
                   THEN previous ELSE definition END AS rules
    ) AS d
    CROSS JOIN LATERAL (
        SELECT false AS is_break, jsonb_array_elements(CASE
            WHEN d.rules -> 'holidays' @> to_jsonb(d.name) THEN '[]'
            WHEN d.rules -> 'holidays' @> jsonb_build_array(jsonb_build_object('date', d.name)) THEN '[]'
            WHEN d.rules -> 'overrides' ? d.name THEN d.rules -> 'overrides' -> d.name
            WHEN (d.rules ->> 'always_open')::boolean THEN '[["00:00", "24:00"]]'
            ELSE coalesce(d.rules -> 'hours' -> to_char(day, 'dy'), '[]')
        END) AS said
        UNION ALL
        SELECT true, jsonb_array_elements(coalesce(d.rules -> 'breaks' -> d.name, '[]'))
    ) AS i
    CROSS JOIN LATERAL (
        SELECT coalesce(i.said ->> 0, i.said ->> 'from')::interval AS opens,
               coalesce(i.said ->> 1, i.said ->> 'to')::interval AS closes
    ) AS t
    CROSS JOIN LATERAL (
        SELECT day::date + t.opens AS opens,
               day::date + t.closes + CASE WHEN t.closes <= t.opens THEN interval '24:00' ELSE interval '0' END AS closes,
               coalesce(d.rules ->> 'timezone', 'UTC') AS zone
    ) AS wall
    CROSS JOIN LATERAL (
        -- An ambiguous time is its first occurrence (C5), which PostgreSQL finds when it comes from before the change.
        SELECT i.is_break,
               CASE WHEN ((wall.opens - interval '3 h') AT TIME ZONE wall.zone + interval '3 h') AT TIME ZONE wall.zone = wall.opens
                   THEN (wall.opens - interval '3 h') AT TIME ZONE wall.zone + interval '3 h'
                   ELSE wall.opens AT TIME ZONE wall.zone END AS opens,
               CASE WHEN ((wall.closes - interval '3 h') AT TIME ZONE wall.zone + interval '3 h') AT TIME ZONE wall.zone = wall.closes
                   THEN (wall.closes - interval '3 h') AT TIME ZONE wall.zone + interval '3 h'
                   ELSE wall.closes AT TIME ZONE wall.zone END AS closes
    ) AS e
    WHERE e.opens < e.closes
$$;

CREATE FUNCTION seconds_of(stretch tstzmultirange) RETURNS double precision LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT coalesce(sum(extract(epoch FROM upper(r) - lower(r))), 0)::double precision FROM unnest(stretch) AS r
$$;

CREATE OR REPLACE VIEW bi.ticket_enriched AS
SELECT t.ticket_id, t.number AS ticket_number, t.external_id, t.subject, t.category AS status, t.label AS status_label,
       t.priority, t.ticket_type AS type, t.via AS created_channel, t.language, array_to_string(t.tags, ',') AS ticket_tags,
       t.fields::text AS custom_fields_json, t.requester_id, t.requester_name, t.requester_email,
       t.organization AS organization_name, t.group_id, g.name AS group_name, t.assignee_id,
       coalesce(t.assignee_name, a.name) AS assignee_name, a.email AS assignee_email, t.opened_at AS created_at,
       t.changed_at AS updated_at, t.resolved_at AS last_solved_at, t.closed_at, t.resolution_summary,
       t.resolution_code, t.policy_id AS sla_policy_id, t.policy_version AS sla_policy_version, t.due_at AS next_due_at,
       t.is_at_risk, t.is_breached, t.is_open, t.merged_into_number AS merged_into_ticket_number,
       t.change_tx AS export_position,
       coalesce((t.satisfaction ->> 'count')::integer, 0) AS ticket_total_satisfaction_scores,
       t.satisfaction ->> 'first_score' AS ticket_first_satisfaction_score,
       t.satisfaction ->> 'score' AS ticket_satisfaction_score,
       t.satisfaction ->> 'comment' AS ticket_satisfaction_comment,
       t.satisfaction ->> 'reason' AS ticket_satisfaction_reason,
       coalesce((t.satisfaction ->> 'is_good_to_bad')::boolean, false) AS is_good_to_bad_satisfaction_score,
       coalesce((t.satisfaction ->> 'is_bad_to_good')::boolean, false) AS is_bad_to_good_satisfaction_score,
       CASE WHEN a.agent_id IS NOT NULL THEN 'agent' END AS assignee_role,
       a.is_active AS is_assignee_active,
       CASE WHEN r.agent_id IS NULL THEN 'end-user' ELSE 'agent' END AS requester_role,
       o.author_id AS submitter_id,
       CASE o.author_kind WHEN 'customer' THEN 'end-user' ELSE o.author_kind END AS submitter_role,
       coalesce(s.email, CASE WHEN o.author_id = t.requester_id THEN t.requester_email END) AS submitter_email,
       coalesce(o.author_name, s.name) AS submitter_name,
       o.author_kind = 'agent' AS is_agent_submitted,
       t.agent_reply_count + t.customer_message_count > 0 AS is_public,
       coalesce(t.ticket_type = 'incident', false) AS is_incident,
       t.organization AS requester_organization_name,
       t.last_customer_message_at AS requester_ticket_last_update_at
FROM tickets AS t
LEFT JOIN groups AS g USING (group_id)
LEFT JOIN agents AS a ON a.agent_id = t.assignee_id
LEFT JOIN agents AS r ON r.agent_id = t.requester_id
LEFT JOIN messages AS o ON o.ticket_id = t.ticket_id AND o.version = 1
LEFT JOIN agents AS s ON s.agent_id = o.author_id
WHERE t.version > 0;

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
       t.change_tx AS export_position,
       t.satisfaction ->> 'score' AS ticket_satisfaction_score,
       t.satisfaction ->> 'first_score' AS ticket_first_satisfaction_score,
       coalesce((t.satisfaction ->> 'count')::integer, 0) AS ticket_total_satisfaction_scores,
       t.satisfaction ->> 'reason' AS ticket_satisfaction_reason,
       t.satisfaction ->> 'comment' AS ticket_satisfaction_comment,
       coalesce((t.satisfaction ->> 'is_good_to_bad')::boolean, false) AS is_good_to_bad_satisfaction_score,
       coalesce((t.satisfaction ->> 'is_bad_to_good')::boolean, false) AS is_bad_to_good_satisfaction_score,
       n.requester_id, n.requester_name, n.requester_email, n.requester_role, n.requester_organization_name,
       n.requester_ticket_last_update_at, n.submitter_id, n.submitter_name, n.submitter_email, n.submitter_role,
       n.is_agent_submitted, n.organization_name, n.external_id, n.subject, n.group_name, n.assignee_name,
       n.assignee_email, n.assignee_role, n.is_assignee_active, n.updated_at, n.ticket_tags, n.is_public,
       n.is_incident,
       t.first_resolved_at AS first_solved_at,
       t.resolved_at AS last_solved_at,
       extract(epoch FROM t.resolved_at - t.opened_at)::double precision / 60 AS final_resolution_calendar_minutes,
       (f.new_seconds + f.open_seconds + f.hold_seconds + f.pending_seconds) / 60 AS solve_time_in_calendar_minutes,
       CASE WHEN c.stretch IS NOT NULL THEN coalesce(w.agent_wait_seconds, 0) / 60 END AS agent_wait_time_in_business_minutes,
       CASE WHEN c.stretch IS NOT NULL THEN coalesce(w.solve_seconds, 0) / 60 END AS solve_time_in_business_minutes,
       CASE WHEN c.stretch IS NOT NULL THEN coalesce(w.hold_seconds, 0) / 60 END AS on_hold_time_in_business_minutes,
       CASE WHEN c.stretch IS NOT NULL THEN coalesce(w.new_seconds, 0) / 60 END AS new_status_duration_in_business_minutes,
       CASE WHEN c.stretch IS NOT NULL THEN coalesce(w.open_seconds, 0) / 60 END AS open_status_duration_in_business_minutes,
       CASE WHEN t.first_resolved_at IS NOT NULL THEN seconds_of(c.stretch * tstzmultirange(tstzrange(
           t.opened_at, greatest(t.opened_at, t.first_resolved_at)))) / 60 END AS first_resolution_business_minutes,
       (
           SELECT sum(extract(epoch FROM turn.answered_at - turn.asked_at))::double precision / 60 FROM (
               SELECT min(sent_at) FILTER (WHERE kind = 'customer') AS asked_at,
                      max(sent_at) FILTER (WHERE kind = 'agent') AS answered_at
               FROM (
                   SELECT c.kind, c.sent_at, count(*) FILTER (WHERE c.kind = 'agent') OVER (
                       ORDER BY c.version ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
                   ) AS turn_number
                   FROM messages AS c
                   WHERE c.ticket_id = t.ticket_id AND NOT c.is_automatic
                     AND (c.kind = 'customer' OR c.kind = 'agent' AND c.author_id <> t.requester_id)
               ) AS said GROUP BY turn_number
           ) AS turn
       ) AS total_reply_time_calendar_minutes,
       t.agent_reply_count AS total_agent_replies,
       t.agent_reply_count + t.note_count AS count_agent_comments,
       (SELECT x.agent_id FROM assignments AS x WHERE x.ticket_id = t.ticket_id ORDER BY x.version LIMIT 1)
           AS first_assignee_id,
       (SELECT x.agent_id FROM assignments AS x WHERE x.ticket_id = t.ticket_id ORDER BY x.version DESC LIMIT 1)
           AS last_assignee_id,
       (SELECT max(c.sent_at) FROM messages AS c WHERE c.ticket_id = t.ticket_id) AS ticket_last_comment_date,
       t.category_since AS last_status_assignment_date,
       CASE WHEN t.is_open THEN greatest(extract(epoch FROM now() - t.changed_at)::double precision, 0) / 60 END
           AS unsolved_ticket_age_since_update_minutes
FROM tickets AS t
JOIN ticket_figures AS f USING (ticket_id)
JOIN bi.ticket_enriched AS n USING (ticket_id)
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
) AS m
LEFT JOIN LATERAL (
    SELECT open_time(
        k.definition, before.definition, t.opened_at, CASE WHEN t.is_open THEN now() ELSE t.category_since END
    ) AS stretch
    FROM definitions AS k
    LEFT JOIN definitions AS before ON before.kind = k.kind AND before.id = k.id AND before.version = k.version - 1
    WHERE k.kind = 'calendar' AND k.id = b.calendar_id AND k.version = b.calendar_version
    OFFSET 0
) AS c ON true
LEFT JOIN LATERAL (
    SELECT sum(p.seconds) FILTER (WHERE p.value = 'pending') AS agent_wait_seconds,
           sum(p.seconds) FILTER (WHERE p.value IN ('new', 'open', 'hold', 'pending')) AS solve_seconds,
           sum(p.seconds) FILTER (WHERE p.value = 'hold') AS hold_seconds,
           sum(p.seconds) FILTER (WHERE p.value = 'new') AS new_seconds,
           sum(p.seconds) FILTER (WHERE p.value = 'open') AS open_seconds
    FROM (
        SELECT x.value, seconds_of(c.stretch * tstzmultirange(tstzrange(
            x.valid_from, greatest(x.valid_from, coalesce(x.valid_to, now()))))) AS seconds
        FROM spans AS x WHERE x.ticket_id = t.ticket_id AND x.field = 'status' AND c.stretch IS NOT NULL
    ) AS p
) AS w ON true;

CREATE OR REPLACE VIEW bi.ticket_summary AS
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
       count(*) FILTER (WHERE is_breached) AS breached_ticket_count,
       count(*) FILTER (WHERE satisfaction IS NOT NULL) AS surveyed_satisfaction_ticket_count,
       (SELECT count(*) FROM agents WHERE is_active) + count(DISTINCT requester_id) AS user_count,
       (SELECT count(*) FROM agents WHERE NOT is_active) AS deleted_user_count,
       count(*) FILTER (WHERE ticket_type = 'problem') AS problem_ticket_count
FROM tickets WHERE version > 0;

CREATE OR REPLACE VIEW bi.ticket_backlog AS
SELECT d.date_day, s.ticket_id, t.number AS ticket_number, s.value AS status, p.value AS priority,
       g.value AS group_id, a.agent_id AS assignee_id, t.via AS created_channel, t.opened_at AS created_at,
       extract(epoch FROM d.ends_at - t.opened_at)::double precision / 60 AS age_minutes,
       a.agent_name AS assignee_name
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
    SELECT agent_id, agent_name FROM assignments AS x WHERE x.ticket_id = s.ticket_id
    AND x.assigned_at < d.ends_at AND (x.ended_at IS NULL OR x.ended_at >= d.ends_at) ORDER BY version DESC LIMIT 1
) AS a ON true
WHERE s.field = 'status' AND s.value NOT IN ('solved', 'closed')
  AND s.valid_from < d.ends_at AND (s.valid_to IS NULL OR s.valid_to >= d.ends_at);

COMMENT ON COLUMN bi.ticket_enriched.assignee_role IS 'agent; null: nobody has the ticket.';
COMMENT ON COLUMN bi.ticket_enriched.is_assignee_active IS 'Whether that agent is in use.';
COMMENT ON COLUMN bi.ticket_enriched.requester_role IS 'end-user, or agent when an agent asked.';
COMMENT ON COLUMN bi.ticket_enriched.submitter_id IS 'Who wrote the first message.';
COMMENT ON COLUMN bi.ticket_enriched.submitter_role IS 'end-user, agent, service or system.';
COMMENT ON COLUMN bi.ticket_enriched.submitter_email IS 'The mail address of who wrote it, where known.';
COMMENT ON COLUMN bi.ticket_enriched.submitter_name IS 'The name of who wrote it, where known.';
COMMENT ON COLUMN bi.ticket_enriched.is_agent_submitted IS 'Whether an agent wrote the first message.';
COMMENT ON COLUMN bi.ticket_enriched.is_public IS 'Whether the customer can see any message of it.';
COMMENT ON COLUMN bi.ticket_enriched.is_incident IS 'Whether its kind of request is incident.';
COMMENT ON COLUMN bi.ticket_enriched.requester_organization_name IS 'The same as organization_name.';
COMMENT ON COLUMN bi.ticket_enriched.requester_ticket_last_update_at IS 'When the customer last wrote (UTC).';
COMMENT ON COLUMN bi.ticket_metrics.first_solved_at IS 'When it was first solved (UTC).';
COMMENT ON COLUMN bi.ticket_metrics.last_solved_at IS 'When it was last solved (UTC); stays when it is opened again.';
COMMENT ON COLUMN bi.ticket_metrics.final_resolution_calendar_minutes IS 'Opening to last solved; stays when it is opened again, unlike full_resolution_calendar_minutes.';
COMMENT ON COLUMN bi.ticket_metrics.solve_time_in_calendar_minutes IS 'Time in new, open, hold and pending.';
COMMENT ON COLUMN bi.ticket_metrics.agent_wait_time_in_business_minutes IS 'Time in pending, in minutes of the calendar of its newest clock; null without one.';
COMMENT ON COLUMN bi.ticket_metrics.solve_time_in_business_minutes IS 'Time in new, open, hold and pending, in minutes of that calendar.';
COMMENT ON COLUMN bi.ticket_metrics.on_hold_time_in_business_minutes IS 'Time in hold, in minutes of that calendar.';
COMMENT ON COLUMN bi.ticket_metrics.new_status_duration_in_business_minutes IS 'Time in new, in minutes of that calendar.';
COMMENT ON COLUMN bi.ticket_metrics.open_status_duration_in_business_minutes IS 'Time in open, in minutes of that calendar.';
COMMENT ON COLUMN bi.ticket_metrics.first_resolution_business_minutes IS 'Opening to first solved, in minutes of that calendar.';
COMMENT ON COLUMN bi.ticket_metrics.total_reply_time_calendar_minutes IS 'From each message of the customer that nobody had answered yet to the next public message of a human agent, added up.';
COMMENT ON COLUMN bi.ticket_metrics.total_agent_replies IS 'Public messages of human agents, the opening of a ticket not counted.';
COMMENT ON COLUMN bi.ticket_metrics.count_agent_comments IS 'Public messages of human agents, and notes.';
COMMENT ON COLUMN bi.ticket_metrics.first_assignee_id IS 'The agent who got it first.';
COMMENT ON COLUMN bi.ticket_metrics.last_assignee_id IS 'The agent who got it last, whoever has it now.';
COMMENT ON COLUMN bi.ticket_metrics.ticket_last_comment_date IS 'When the last message or note was written (UTC).';
COMMENT ON COLUMN bi.ticket_metrics.last_status_assignment_date IS 'Since when it is in its status (UTC).';
COMMENT ON COLUMN bi.ticket_metrics.unsolved_ticket_age_since_update_minutes IS 'Time since the last change of a ticket that is open; else null.';
COMMENT ON COLUMN bi.ticket_summary.user_count IS 'Agents in use, and distinct requesters.';
COMMENT ON COLUMN bi.ticket_summary.deleted_user_count IS 'Agents that are no longer in use.';
COMMENT ON COLUMN bi.ticket_summary.problem_ticket_count IS 'Whose kind of request is problem.';
COMMENT ON COLUMN bi.ticket_backlog.assignee_name IS 'That agent''s name.';

-- What ticket_metrics repeats of ticket_enriched means the same.
DO $$
DECLARE
    item record;
BEGIN
    FOR item IN
        SELECT m.attname, col_description(e.attrelid, e.attnum) AS meaning
        FROM pg_attribute AS m JOIN pg_attribute AS e ON e.attname = m.attname AND e.attrelid = 'bi.ticket_enriched'::regclass
        WHERE m.attrelid = 'bi.ticket_metrics'::regclass AND col_description(m.attrelid, m.attnum) IS NULL
    LOOP
        EXECUTE format('COMMENT ON COLUMN bi.ticket_metrics.%I IS %L', item.attname, item.meaning);
    END LOOP;
END $$;
