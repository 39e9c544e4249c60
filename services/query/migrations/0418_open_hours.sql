-- Business minutes in constant time, however long a ticket is open: when a calendar is open is written down once per
-- version, by the service and with the arithmetic of the clocks themselves (shared/calendar), so no second definition of
-- open time is left in SQL. Open time between two moments is the difference of two running totals.
--
-- A row is a block of 64 days. Its arrays hold the open intervals that begin in it, and before them the last one that
-- began earlier; `before` is the open seconds until each interval begins.
CREATE TABLE open_hours (
    calendar_id text          NOT NULL,
    version     bigint        NOT NULL,
    begins_at   timestamptz   NOT NULL,
    opens       timestamptz[] NOT NULL,
    closes      timestamptz[] NOT NULL,
    before      bigint[]      NOT NULL,
    PRIMARY KEY (calendar_id, version, begins_at)
);

CREATE FUNCTION open_block(moment timestamptz) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS $$
    SELECT date_bin('64 days', moment, '1970-01-01 00:00:00+00')
$$;

-- One expression, so that it becomes part of the plan.
CREATE FUNCTION open_seconds(
    since timestamptz, since_opens timestamptz[], since_closes timestamptz[], since_before bigint[],
    until timestamptz, until_opens timestamptz[], until_closes timestamptz[], until_before bigint[]
) RETURNS double precision LANGUAGE sql IMMUTABLE AS $$
    SELECT (until_before[width_bucket(until, until_opens)] - since_before[width_bucket(since, since_opens)])::double precision
        + extract(epoch FROM
            (least(until, until_closes[width_bucket(until, until_opens)]) - until_opens[width_bucket(until, until_opens)])
            - (least(since, since_closes[width_bucket(since, since_opens)]) - since_opens[width_bucket(since, since_opens)])
        )::double precision
$$;

-- A calendar may come after the tickets that are judged by it; copies learn of their minutes then.
ALTER TABLE definitions ADD COLUMN change_tx bigint NOT NULL DEFAULT (pg_current_xact_id()::text::bigint);
CREATE TRIGGER stamp_change BEFORE UPDATE ON definitions FOR EACH ROW EXECUTE FUNCTION stamp_change();

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
       greatest(n.export_position, k.change_tx) AS export_position,
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
LEFT JOIN definitions AS k ON k.kind = 'calendar' AND k.id = b.calendar_id AND k.version = b.calendar_version
LEFT JOIN LATERAL (
    -- Without a calendar nothing is known, not 0 minutes; nor outside the years that are written down.
    SELECT CASE WHEN s.is_known THEN coalesce(s.pending, 0) END AS agent_wait_seconds,
           CASE WHEN s.is_known THEN coalesce(s.solving, 0) END AS solve_seconds,
           CASE WHEN s.is_known THEN coalesce(s.hold, 0) END AS hold_seconds,
           CASE WHEN s.is_known THEN coalesce(s.new, 0) END AS new_seconds,
           CASE WHEN s.is_known THEN coalesce(s.open, 0) END AS open_seconds,
           s.first_resolution AS first_resolution_seconds
    FROM (
        SELECT k.id IS NOT NULL AND coalesce(bool_and(p.seconds IS NOT NULL), true) AS is_known,
               sum(p.seconds) FILTER (WHERE p.value = 'pending') AS pending,
               sum(p.seconds) FILTER (WHERE p.value = 'hold') AS hold,
               sum(p.seconds) FILTER (WHERE p.value = 'new') AS new,
               sum(p.seconds) FILTER (WHERE p.value = 'open') AS open,
               sum(p.seconds) FILTER (WHERE p.value <> 'first resolution') AS solving,
               sum(p.seconds) FILTER (WHERE p.value = 'first resolution') AS first_resolution
        FROM (
            SELECT x.value, open_seconds(x.since, f.opens, f.closes, f.before, x.until, u.opens, u.closes, u.before)
                AS seconds
            FROM (
                SELECT value, valid_from AS since, greatest(valid_from, coalesce(valid_to, now())) AS until
                FROM spans
                WHERE ticket_id = t.ticket_id AND field = 'status' AND value IN ('new', 'open', 'hold', 'pending')
                UNION ALL SELECT 'first resolution', t.opened_at, greatest(t.opened_at, t.first_resolved_at)
                WHERE t.first_resolved_at IS NOT NULL
            ) AS x
            LEFT JOIN open_hours AS f
                ON f.calendar_id = k.id AND f.version = k.version AND f.begins_at = open_block(x.since)
            LEFT JOIN open_hours AS u
                ON u.calendar_id = k.id AND u.version = k.version AND u.begins_at = open_block(x.until)
        ) AS p
    ) AS s
) AS w ON true;

-- In the words in which a rebuild leaves it; see 0411.
DO $$
BEGIN
    EXECUTE 'CREATE OR REPLACE VIEW bi.ticket_metrics AS ' || pg_get_viewdef('bi.ticket_metrics'::regclass);
END
$$;

DROP FUNCTION open_stretch(jsonb, jsonb, timestamptz, timestamptz);
DROP FUNCTION seconds_of(tstzmultirange);
