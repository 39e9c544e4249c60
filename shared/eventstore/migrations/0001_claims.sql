-- What was asked once is answered once: decided by this primary key, in the transaction of the effect.
CREATE TABLE claims (
    claim_id    uuid PRIMARY KEY,
    body_hash   bytea NOT NULL,
    result      bytea NOT NULL,
    recorded_at timestamptz NOT NULL
);
COMMENT ON TABLE claims IS 'Idempotency keys and external message ids that have been used, with the first answer. Kept for good.';

-- How far the relay has published this service's event table.
CREATE TABLE relay_position (
    only_row        boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    notification_id bigint NOT NULL
);
INSERT INTO relay_position (notification_id) VALUES (0);
