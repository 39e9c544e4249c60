-- Whoever sets a ticket to pending and sends the answer within the minute has done one thing in two steps: such a pause
-- has its ground.
CREATE OR REPLACE VIEW sla_pauses AS
WITH moves AS (
    SELECT stream_id AS ticket_id, version, type, occurred_at, causation_id, actor_kind, actor_id, actor_name,
           raw ->> 'metric' AS metric, (raw ->> 'cycle')::integer AS cycle,
           raw ->> 'policy_id' AS policy_id, (raw ->> 'policy_version')::bigint AS policy_version,
           raw ->> 'calendar_id' AS calendar_id, raw ->> 'due_at' AS due_at,
           (raw ->> 'paused_seconds')::double precision AS paused_seconds
    FROM timeline
    WHERE topic = 'sla.v1'
      AND type IN ('sla.started.v1', 'sla.paused.v1', 'sla.resumed.v1', 'sla.met.v1', 'sla.cancelled.v1',
                   'sla.unschedulable.v1')
),
placed AS (
    SELECT m.*,
           lag(type) OVER w AS type_before,
           lead(type) OVER w AS type_after,
           lead(occurred_at) OVER w AS moved_at,
           lead(paused_seconds) OVER w AS paused_after,
           coalesce(max(paused_seconds) OVER (w ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS paused_before
    FROM moves AS m WINDOW w AS (PARTITION BY ticket_id, metric, cycle ORDER BY version)
)
SELECT p.ticket_id, p.metric, p.cycle, p.version, p.policy_id, p.policy_version, p.calendar_id,
       p.occurred_at AS started_at, p.moved_at AS ended_at, p.moved_at IS NULL AS is_open,
       CASE WHEN p.paused_after IS NULL THEN NULL ELSE GREATEST(p.paused_after - p.paused_before, 0) END AS paused_seconds,
       coalesce(c.actor_kind, p.actor_kind) AS paused_by_kind, coalesce(c.actor_id, p.actor_id) AS paused_by,
       coalesce(c.actor_name, p.actor_name) AS paused_by_name,
       coalesce(c.type, 'system') AS cause, c.category,
       a.answered_at,
       c.category = 'pending' AND coalesce(said.kind = 'customer', false)
           AND coalesce(a.answered_at > p.occurred_at + interval '1 minute', true) AS is_unfounded
FROM placed AS p
LEFT JOIN LATERAL (
    SELECT t.actor_kind, t.actor_id, t.actor_name, t.type, t.raw ->> 'category' AS category
    FROM timeline AS t
    WHERE t.stream_id = p.ticket_id AND t.topic = 'tickets.v1'
      AND p.causation_id LIKE 'intake:%' AND t.version = split_part(p.causation_id, ':', 3)::bigint
) AS c ON true
-- Whoever spoke last before the clock was stopped: if that was the customer, it was not the customer who was waited for.
LEFT JOIN LATERAL (
    SELECT m.kind FROM messages AS m
    WHERE m.ticket_id = p.ticket_id AND m.sent_at <= p.occurred_at AND m.kind <> 'note'
      AND NOT m.is_automatic AND m.courtesy IS NULL
    ORDER BY m.sent_at DESC, (m.kind = 'agent') DESC, m.version DESC LIMIT 1
) AS said ON true
LEFT JOIN LATERAL (
    SELECT min(m.sent_at) AS answered_at FROM messages AS m
    WHERE m.ticket_id = p.ticket_id AND m.kind = 'agent' AND NOT m.is_automatic
      AND m.sent_at > p.occurred_at AND (p.moved_at IS NULL OR m.sent_at <= p.moved_at)
) AS a ON true
WHERE p.type = 'sla.paused.v1'
   OR (p.type = 'sla.started.v1' AND p.due_at IS NULL AND p.type_before IS DISTINCT FROM 'sla.unschedulable.v1');

COMMENT ON COLUMN bi.fct_sla_pause.is_unfounded IS 'Set to pending though the last word was the customer''s, and not answered within the minute: nobody but us was waited for.';
