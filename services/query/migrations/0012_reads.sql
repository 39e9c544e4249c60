-- Who has read a sensitive ticket: the one thing that this service knows first. Not a projection: no rebuild touches it.
-- The columns are those of an event table, so that the same sealer makes it provable.
CREATE TABLE reads (
    notification_id    bigserial   NOT NULL UNIQUE,
    originator_id      uuid        NOT NULL,
    originator_version bigint      NOT NULL,
    topic              text        NOT NULL,
    state              bytea       NOT NULL,
    ticket_id          uuid        NOT NULL,
    recorded_at        timestamptz NOT NULL,
    actor_id           text        NOT NULL,
    PRIMARY KEY (originator_id, originator_version)
);
CREATE INDEX reads_time   ON reads (recorded_at);
CREATE INDEX reads_actor  ON reads (actor_id, recorded_at);
CREATE INDEX reads_ticket ON reads (ticket_id, recorded_at);

-- What the audit looks at: every event, and every recorded reading in the same form.
CREATE VIEW audit_log AS
SELECT stream_id, topic, version, ticket_id, type, occurred_at, recorded_at, actor_kind, actor_id, actor_name, via,
       correlation_id, causation_id, changes, raw
FROM timeline
UNION ALL
SELECT ticket_id, 'reads.v1'::text, notification_id, ticket_id, topic, recorded_at, recorded_at, said -> 'actor' ->> 'kind',
       actor_id, said -> 'actor' ->> 'name', said ->> 'via', said ->> 'correlation_id', NULL::text, '{}'::jsonb, said
FROM (SELECT *, convert_from(state, 'UTF8')::json AS said FROM reads) AS r;
