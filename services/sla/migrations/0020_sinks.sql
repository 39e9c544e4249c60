-- Sinks as documents, every version of each; which is in force is the newest. No secret is in them, only where one is kept.
CREATE TABLE sink_versions (
    sink_id     text        NOT NULL,
    version     integer     NOT NULL CHECK (version > 0),
    definition  jsonb       NOT NULL,
    source      text        NOT NULL CHECK (source IN ('api', 'file')),
    recorded_at timestamptz NOT NULL,
    recorded_by text        NOT NULL,
    PRIMARY KEY (sink_id, version)
);

-- `receipt`: what the receiver gave back and needs to hear again (a message's id).
-- `about_id`: the summary whose end this delivery tells, for sinks that keep state.
-- `forgiven_attempts`: attempts made before a person asked for a replay; they do not count against the limit.
-- covered: said by a summary's life, not by a request of its own. discarded: a person gave it up.
ALTER TABLE deliveries
    ADD COLUMN receipt jsonb,
    ADD COLUMN about_id uuid REFERENCES deliveries,
    ADD COLUMN forgiven_attempts integer NOT NULL DEFAULT 0,
    ADD COLUMN decided_by text,
    DROP CONSTRAINT deliveries_status_check,
    ADD CONSTRAINT deliveries_status_check CHECK (status IN
        ('waiting', 'claimed', 'grouped', 'covered', 'delivered', 'dead', 'discarded'));
CREATE INDEX deliveries_by_time ON deliveries (created_at DESC, delivery_id DESC);
CREATE INDEX deliveries_dead ON deliveries (sink, created_at) WHERE status = 'dead';
