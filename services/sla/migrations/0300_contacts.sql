-- How the people whom alerts call are reached. Addresses stand here only and can be forgotten; events name the ways,
-- never the addresses. `version` counts the changes and outlives what was forgotten.
CREATE TABLE oncall_contacts (
    target      text        PRIMARY KEY,
    version     integer     NOT NULL DEFAULT 0,
    email       text,
    phone       text,
    slack       text,
    agents      text[]      NOT NULL DEFAULT '{}',
    recorded_at timestamptz NOT NULL DEFAULT now(),
    recorded_by text        NOT NULL DEFAULT ''
);
