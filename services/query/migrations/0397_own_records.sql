-- Beside readings: exports, and who is mailed reports. These are about no ticket, and some say old and new values.
ALTER TABLE reads ALTER COLUMN ticket_id DROP NOT NULL;
COMMENT ON TABLE reads IS
    'What query itself knows first: readings of sensitive tickets, exports, changed subscriptions. Sealed like events.';

CREATE OR REPLACE VIEW audit_log AS
SELECT stream_id, topic, version, ticket_id, type, occurred_at, recorded_at, actor_kind, actor_id, actor_name, via,
       correlation_id, causation_id, changes, raw
FROM timeline
UNION ALL
SELECT coalesce(ticket_id, originator_id), 'reads.v1'::text, notification_id, ticket_id, topic, recorded_at, recorded_at,
       said -> 'actor' ->> 'kind', actor_id, said -> 'actor' ->> 'name', said ->> 'via', said ->> 'correlation_id',
       NULL::text, coalesce((said -> 'changes')::jsonb, '{}'), said
FROM (SELECT *, convert_from(state, 'UTF8')::json AS said FROM reads) AS r;
