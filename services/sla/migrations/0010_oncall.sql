-- Who is on call: rotas with every version of them, overrides, and the feeds that calendar programs read.

CREATE TABLE rotas (
    rota_id text    PRIMARY KEY,
    version integer NOT NULL DEFAULT 0   -- of the rota's stream: definitions, overrides, their endings
);

CREATE TABLE rota_versions (
    rota_id     text        NOT NULL REFERENCES rotas,
    version     integer     NOT NULL CHECK (version > 0),
    definition  jsonb       NOT NULL,
    recorded_at timestamptz NOT NULL,    -- in force from then on; the first one since ever
    PRIMARY KEY (rota_id, version)
);

CREATE TABLE rota_overrides (
    override_id uuid        PRIMARY KEY,
    rota_id     text        NOT NULL REFERENCES rotas,
    version     integer     NOT NULL,    -- the order in which they were made: the later one counts
    agent_id    text        NOT NULL,
    instead_of  text,
    starts_at   timestamptz NOT NULL,
    ends_at     timestamptz NOT NULL,    -- moves forward when the override is taken back
    reason      text,
    CHECK (starts_at <= ends_at)
);
CREATE INDEX rota_overrides_rota ON rota_overrides (rota_id, version);

-- A calendar program cannot send a bearer token; what it has is an address that nobody can guess.
CREATE TABLE rota_feeds (
    token_sha256 bytea       PRIMARY KEY, -- never the token itself
    rota_id      text        NOT NULL REFERENCES rotas,
    agent_id     text,                    -- only this person's turns
    made_by      text        NOT NULL,
    made_at      timestamptz NOT NULL
);
CREATE INDEX rota_feeds_rota ON rota_feeds (rota_id);
