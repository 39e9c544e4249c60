-- Agents, groups and the documents that rule: routing rules, SLA policies, calendars.
CREATE TABLE agents (
    agent_id       text PRIMARY KEY,
    version        bigint      NOT NULL,
    name           text,
    email          text,
    groups         text[]      NOT NULL DEFAULT '{}',
    skills         jsonb       NOT NULL DEFAULT '{}',
    capacity       double precision,
    is_active      boolean     NOT NULL DEFAULT true,
    presence       text        NOT NULL DEFAULT 'offline',
    presence_since timestamptz,
    changed_at     timestamptz NOT NULL
);

CREATE TABLE groups (
    group_id   text PRIMARY KEY,
    version    bigint      NOT NULL,
    name       text,
    strategy   text,
    is_active  boolean     NOT NULL DEFAULT true,
    changed_at timestamptz NOT NULL
);

-- Every version of every ruling document is kept: what was judged by version 3 can be read for ever.
CREATE TABLE definitions (
    kind           text        NOT NULL CHECK (kind IN ('routing_rules', 'sla_policy', 'calendar')),
    id             text        NOT NULL,
    version        bigint      NOT NULL,
    definition     jsonb       NOT NULL,
    tzdata_version text,
    actor_id       text        NOT NULL,
    valid_from     timestamptz NOT NULL,
    PRIMARY KEY (kind, id, version)
);

CREATE VIEW current_definitions AS
SELECT DISTINCT ON (kind, id) kind, id, version, definition, tzdata_version, actor_id, valid_from
FROM definitions ORDER BY kind, id, version DESC;

-- How far each partition has been applied; one writer per partition, so nobody waits for anybody.
CREATE TABLE freshness (
    topic            text        NOT NULL,
    partition        integer     NOT NULL,
    last_offset      bigint      NOT NULL,
    last_recorded_at timestamptz NOT NULL,
    applied_at       timestamptz NOT NULL,
    event_count      bigint      NOT NULL,
    PRIMARY KEY (topic, partition)
);
