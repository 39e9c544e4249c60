-- Pauses of clocks: who paused, when, how long; and the time that was lost while the customer waited for us. Read from
-- the timeline: a pause names its cause, and the cause names who did it. Asked for one ticket, only its events are read.
CREATE VIEW sla_pauses AS
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
       c.category = 'pending' AND coalesce(said.kind = 'customer', false) AS is_unfounded
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

CREATE VIEW bi.fct_sla_pause AS
SELECT ticket_id || ':' || metric || ':' || cycle || ':' || version AS sla_pause_id, ticket_id, metric, cycle, policy_id,
       policy_version, calendar_id, started_at, ended_at, is_open, paused_seconds AS paused_business_seconds,
       paused_by_kind, paused_by, paused_by_name, cause, category AS status, answered_at, is_unfounded,
       CASE WHEN is_unfounded THEN paused_seconds ELSE 0 END AS lost_business_seconds
FROM sla_pauses;

CREATE VIEW bi.fct_sla_judged_again AS
SELECT t.stream_id || ':' || t.version || ':' || v.place AS sla_judged_again_id, t.stream_id AS ticket_id,
       t.raw ->> 'label' AS label, t.actor_id AS judged_by, t.occurred_at AS judged_at, v.verdict ->> 'metric' AS metric,
       (v.verdict ->> 'cycle')::integer AS cycle, v.verdict ->> 'status' AS status,
       v.verdict ->> 'first_status' AS first_status, v.verdict ->> 'policy_id' AS policy_id,
       (v.verdict ->> 'policy_version')::bigint AS policy_version, (v.verdict ->> 'due_at')::timestamptz AS due_at,
       (v.verdict ->> 'breached_at')::timestamptz AS breached_at, (v.verdict ->> 'met_at')::timestamptz AS met_at,
       (v.verdict ->> 'first_breached_at')::timestamptz AS first_breached_at
FROM timeline AS t
CROSS JOIN LATERAL json_array_elements(t.raw -> 'verdicts') WITH ORDINALITY AS v (verdict, place)
WHERE t.topic = 'sla.v1' AND t.type = 'sla.judged_again.v1';

COMMENT ON VIEW bi.fct_sla_pause IS 'One row per pause of a clock: who stopped it, when, for how long, and whether the customer was waiting for us then.';
COMMENT ON COLUMN bi.fct_sla_pause.sla_pause_id IS 'Unique and stable.';
COMMENT ON COLUMN bi.fct_sla_pause.ticket_id IS 'The ticket (UUID).';
COMMENT ON COLUMN bi.fct_sla_pause.metric IS 'What was promised: first_reply, resolution, …';
COMMENT ON COLUMN bi.fct_sla_pause.cycle IS 'The how-manieth clock of this metric on this ticket.';
COMMENT ON COLUMN bi.fct_sla_pause.policy_id IS 'The policy it was promised by.';
COMMENT ON COLUMN bi.fct_sla_pause.policy_version IS 'Which version of it.';
COMMENT ON COLUMN bi.fct_sla_pause.calendar_id IS 'The calendar whose seconds are counted; null: every second.';
COMMENT ON COLUMN bi.fct_sla_pause.started_at IS 'When the clock stopped (UTC).';
COMMENT ON COLUMN bi.fct_sla_pause.ended_at IS 'When it went on or ended (UTC); null: it stands still.';
COMMENT ON COLUMN bi.fct_sla_pause.is_open IS 'Whether it stands still now.';
COMMENT ON COLUMN bi.fct_sla_pause.paused_business_seconds IS 'Seconds of the calendar that did not count; null: still paused, or the clock was cancelled.';
COMMENT ON COLUMN bi.fct_sla_pause.paused_by_kind IS 'agent, customer, system: who did what stopped it.';
COMMENT ON COLUMN bi.fct_sla_pause.paused_by IS 'Who did what stopped it.';
COMMENT ON COLUMN bi.fct_sla_pause.paused_by_name IS 'The name for people, if it was known then.';
COMMENT ON COLUMN bi.fct_sla_pause.cause IS 'Type of the event that stopped it; system: none of the ticket itself.';
COMMENT ON COLUMN bi.fct_sla_pause.status IS 'The status that the ticket was given, if that stopped it.';
COMMENT ON COLUMN bi.fct_sla_pause.answered_at IS 'The first answer to the customer during the pause (UTC); null: none.';
COMMENT ON COLUMN bi.fct_sla_pause.is_unfounded IS 'Set to pending though the last word was the customer''s: nobody but us was waited for.';
COMMENT ON COLUMN bi.fct_sla_pause.lost_business_seconds IS 'Seconds of the calendar in an unfounded pause; 0: it had a ground; null: it is not over.';

COMMENT ON VIEW bi.fct_sla_judged_again IS 'One row per clock of which a second, labelled judgement says something else than the first, which stands.';
COMMENT ON COLUMN bi.fct_sla_judged_again.sla_judged_again_id IS 'Unique and stable.';
COMMENT ON COLUMN bi.fct_sla_judged_again.ticket_id IS 'The ticket (UUID).';
COMMENT ON COLUMN bi.fct_sla_judged_again.label IS 'What the second judgement is called.';
COMMENT ON COLUMN bi.fct_sla_judged_again.judged_by IS 'Who asked for it.';
COMMENT ON COLUMN bi.fct_sla_judged_again.judged_at IS 'When (UTC).';
COMMENT ON COLUMN bi.fct_sla_judged_again.metric IS 'What was promised: first_reply, resolution, …';
COMMENT ON COLUMN bi.fct_sla_judged_again.cycle IS 'The how-manieth clock of this metric on this ticket.';
COMMENT ON COLUMN bi.fct_sla_judged_again.status IS 'met, breached, open or cancelled by the second judgement; null: it promises nothing.';
COMMENT ON COLUMN bi.fct_sla_judged_again.first_status IS 'The same as it was judged first, and stands.';
COMMENT ON COLUMN bi.fct_sla_judged_again.policy_id IS 'The policy of the second judgement.';
COMMENT ON COLUMN bi.fct_sla_judged_again.policy_version IS 'Which version of it; a draft has the one it would get.';
COMMENT ON COLUMN bi.fct_sla_judged_again.due_at IS 'The deadline by the second judgement (UTC).';
COMMENT ON COLUMN bi.fct_sla_judged_again.breached_at IS 'When it was breached by the second judgement (UTC).';
COMMENT ON COLUMN bi.fct_sla_judged_again.met_at IS 'When it was met by the second judgement (UTC).';
COMMENT ON COLUMN bi.fct_sla_judged_again.first_breached_at IS 'When it was breached as judged first (UTC).';

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'bi_reader') THEN
        GRANT SELECT ON bi.fct_sla_pause, bi.fct_sla_judged_again TO bi_reader;
    END IF;
END $$;
