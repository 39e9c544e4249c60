-- Who is on call, and who was paged: what the page of on-call shows, from the events of sla.

CREATE TABLE oncall_rotas (
    rota_id     text        NOT NULL,
    version     integer     NOT NULL,
    definition  jsonb       NOT NULL,
    recorded_at timestamptz NOT NULL,   -- in force from then on; the first version since ever
    PRIMARY KEY (rota_id, version)
);

CREATE TABLE oncall_overrides (
    override_id uuid        PRIMARY KEY,
    rota_id     text        NOT NULL,
    version     integer     NOT NULL,   -- the order in which they were made: the later one counts
    agent_id    text        NOT NULL,
    instead_of  text,
    starts_at   timestamptz NOT NULL,
    ends_at     timestamptz NOT NULL,
    reason      text
);
CREATE INDEX oncall_overrides_rota ON oncall_overrides (rota_id, ends_at);

CREATE TABLE oncall_pages (
    ticket_id         uuid        NOT NULL,
    metric            text        NOT NULL,
    cycle             integer     NOT NULL,
    key               text        NOT NULL,
    state             text        NOT NULL CHECK (state IN ('paged', 'acknowledged', 'unanswered', 'ended')),
    step              integer     NOT NULL,
    level             integer,
    levels_count      integer,
    round             integer,
    agent_id          text,
    rota_id           text,
    opened_at         timestamptz NOT NULL,
    paged_at          timestamptz,
    escalates_at      timestamptz,
    acknowledged_at   timestamptz,
    acknowledged_by   text,
    acknowledged_name text,
    acknowledged_how  text,
    ended_at          timestamptz,
    end_reason        text,
    PRIMARY KEY (ticket_id, metric, cycle)
);
CREATE INDEX oncall_pages_open ON oncall_pages (opened_at) WHERE state <> 'ended';
