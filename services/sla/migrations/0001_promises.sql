-- What was promised: every version of every policy and calendar, as accepted. Versions never change.
-- `revision` grows with each of them, so that every process sees with one probe whether its copy is old.

CREATE TABLE rulebook (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    revision bigint NOT NULL
);
INSERT INTO rulebook (revision) VALUES (0);

CREATE TABLE policy_versions (
    policy_id   text        NOT NULL,
    version     integer     NOT NULL CHECK (version > 0),
    definition  jsonb       NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (policy_id, version)
);

CREATE TABLE calendar_versions (
    calendar_id    text        NOT NULL,
    version        integer     NOT NULL CHECK (version > 0),
    definition     jsonb       NOT NULL,
    tzdata_version text,
    recorded_at    timestamptz NOT NULL,
    PRIMARY KEY (calendar_id, version)
);

-- A new calendar version moves the open clocks on it (rule S12): a task walks over the tickets in
-- batches and remembers here how far it came, so a crash in the middle repeats nothing.
CREATE TABLE recalculations (
    calendar_id  text        NOT NULL,
    version      integer     NOT NULL,
    requested_at timestamptz NOT NULL,
    done_up_to   uuid        NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    finished_at  timestamptz,
    PRIMARY KEY (calendar_id, version)
);
