-- What the customer thought stands beside the durations, under the names of ticket_enriched.
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
       coalesce((t.satisfaction ->> 'is_bad_to_good')::boolean, false) AS is_bad_to_good_satisfaction_score
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

COMMENT ON COLUMN bi.ticket_metrics.ticket_satisfaction_score IS 'The last score: good or bad; offered: asked and not answered; null: not asked.';
COMMENT ON COLUMN bi.ticket_metrics.ticket_first_satisfaction_score IS 'The first score: good or bad.';
COMMENT ON COLUMN bi.ticket_metrics.ticket_total_satisfaction_scores IS 'How often the customer said good or bad; each change counts.';
COMMENT ON COLUMN bi.ticket_metrics.ticket_satisfaction_reason IS 'The reason with the last score.';
COMMENT ON COLUMN bi.ticket_metrics.ticket_satisfaction_comment IS 'The comment with the last score.';
COMMENT ON COLUMN bi.ticket_metrics.is_good_to_bad_satisfaction_score IS 'Whether a score good was ever followed by bad.';
COMMENT ON COLUMN bi.ticket_metrics.is_bad_to_good_satisfaction_score IS 'Whether a score bad was ever followed by good.';
