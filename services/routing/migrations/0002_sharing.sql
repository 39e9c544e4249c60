ALTER TABLE agents ADD COLUMN pushed_at timestamptz[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN agents.pushed_at IS 'When routing pushed work to the agent, as far back as a rate limit counts (R4).';

ALTER TABLE groups ADD COLUMN saved_turns jsonb NOT NULL DEFAULT '{}';
COMMENT ON COLUMN groups.saved_turns IS 'Strategy weighted: what each agent has saved up (smooth weighted round robin, R6).';

-- Which agent a customer had last, for groups that keep to that agent (R6); forgotten after the longest such time.
CREATE TABLE customers (
    requester_id text        PRIMARY KEY,
    agent_id     text        NOT NULL,
    assigned_at  timestamptz NOT NULL
);
CREATE INDEX customers_by_age ON customers (assigned_at);
