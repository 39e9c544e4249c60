-- Business minutes are worked out only where somebody asks for them: nothing outside `w` looks into it, so PostgreSQL
-- leaves it out of other questions. A function that returns a table becomes part of the plan; one that returns a value
-- is called for each ticket.
CREATE FUNCTION open_stretch(definition jsonb, previous jsonb, since timestamptz, until timestamptz)
RETURNS TABLE (stretch tstzmultirange)
LANGUAGE sql STABLE AS $$
    SELECT (coalesce(range_agg(tstzrange(e.opens, e.closes)) FILTER (WHERE NOT e.is_break), '{}')
            - coalesce(range_agg(tstzrange(e.opens, e.closes)) FILTER (WHERE e.is_break), '{}'))
        * tstzmultirange(tstzrange(since, greatest(since, until)))
    FROM generate_series(
        -- The day before too: its hours may reach over midnight. The zone of `previous` may be another.
        date_trunc('day', since AT TIME ZONE coalesce(definition ->> 'timezone', 'UTC'))
            - CASE WHEN previous IS NULL THEN interval '1 day' ELSE interval '2 days' END,
        greatest(since, until) AT TIME ZONE coalesce(definition ->> 'timezone', 'UTC')
            + CASE WHEN previous IS NULL THEN interval '0' ELSE interval '1 day' END,
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
       w.agent_wait_seconds / 60 AS agent_wait_time_in_business_minutes,
       w.solve_seconds / 60 AS solve_time_in_business_minutes,
       w.hold_seconds / 60 AS on_hold_time_in_business_minutes,
       w.new_seconds / 60 AS new_status_duration_in_business_minutes,
       w.open_seconds / 60 AS open_status_duration_in_business_minutes,
       w.first_resolution_seconds / 60 AS first_resolution_business_minutes,
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
    SELECT CASE WHEN count(*) > 0 THEN coalesce(sum(p.seconds) FILTER (WHERE p.value = 'pending'), 0) END AS agent_wait_seconds,
           CASE WHEN count(*) > 0 THEN coalesce(sum(p.seconds) FILTER (WHERE p.value IN ('new', 'open', 'hold', 'pending')), 0) END AS solve_seconds,
           CASE WHEN count(*) > 0 THEN coalesce(sum(p.seconds) FILTER (WHERE p.value = 'hold'), 0) END AS hold_seconds,
           CASE WHEN count(*) > 0 THEN coalesce(sum(p.seconds) FILTER (WHERE p.value = 'new'), 0) END AS new_seconds,
           CASE WHEN count(*) > 0 THEN coalesce(sum(p.seconds) FILTER (WHERE p.value = 'open'), 0) END AS open_seconds,
           sum(p.seconds) FILTER (WHERE p.value = 'first resolution') AS first_resolution_seconds
    FROM (
        SELECT x.value, seconds_of(o.stretch * tstzmultirange(tstzrange(
            x.valid_from, greatest(x.valid_from, coalesce(x.valid_to, now()))))) AS seconds
        FROM definitions AS k
        LEFT JOIN definitions AS before ON before.kind = k.kind AND before.id = k.id AND before.version = k.version - 1
        CROSS JOIN LATERAL open_stretch(
            k.definition, before.definition, t.opened_at, CASE WHEN t.is_open THEN now() ELSE t.category_since END
        ) AS o
        CROSS JOIN LATERAL (
            SELECT value, valid_from, valid_to FROM spans WHERE ticket_id = t.ticket_id AND field = 'status'
            UNION ALL SELECT 'first resolution', t.opened_at, t.first_resolved_at WHERE t.first_resolved_at IS NOT NULL
        ) AS x
        WHERE k.kind = 'calendar' AND k.id = b.calendar_id AND k.version = b.calendar_version
    ) AS p
) AS w ON true;

DROP FUNCTION open_time(jsonb, jsonb, timestamptz, timestamptz);
