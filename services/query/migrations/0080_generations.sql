-- Generations of the projections. The tables of the present one stand in this schema; one that is being built stands in
-- `query_next`, the one before in `query_old`. A group without a row here is at its first generation.
CREATE TABLE generations (
    name        text        NOT NULL,
    number      integer     NOT NULL,
    state       text        NOT NULL CHECK (state IN ('building', 'live', 'old', 'dropped')),
    stage       text        NOT NULL,           -- filling, indexed, switched
    shape       text        NOT NULL,           -- digest of the tables' definitions: another one is started anew
    event_count bigint      NOT NULL DEFAULT 0,
    started_at  timestamptz NOT NULL DEFAULT now(),
    switched_at timestamptz,
    differences jsonb       NOT NULL DEFAULT '{}',
    PRIMARY KEY (name, number)
);
CREATE UNIQUE INDEX generations_state ON generations (name, state) WHERE state IN ('building', 'live', 'old');
