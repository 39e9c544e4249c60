-- One row per ticket: what the engine remembers, and when time itself will next have something to say.
-- The row lock is what keeps two processes from judging one ticket at once (S25, S26).

CREATE TABLE ticket_states (
    ticket_id      uuid    PRIMARY KEY,
    state          bytea,                        -- the engine's state; null until `opened` arrives
    stream_version integer NOT NULL DEFAULT 0,   -- version of the ticket's last event in this service's store
    next_due       timestamptz,                  -- the timer (S23); null: time changes nothing
    held_due       timestamptz,                  -- a timer in the past that waits for the import to end
    is_open        boolean NOT NULL DEFAULT false, -- some clock still promises something
    is_imported    boolean NOT NULL DEFAULT false, -- the last fact came by import: nobody is paged
    number         bigint,
    group_id       text,
    agent_id       text,
    correlation_id text    NOT NULL DEFAULT ''
) WITH (
    -- Rows are rewritten with every fact: leave room beside them, and clean the front of the timer index early.
    fillfactor = 80,
    autovacuum_vacuum_scale_factor = 0.02
);
-- The state is written far more often than it is read back whole; compressing each would cost more than it saves.
ALTER TABLE ticket_states ALTER COLUMN state SET STORAGE EXTERNAL;

CREATE INDEX ticket_states_next_due ON ticket_states (next_due) WHERE next_due IS NOT NULL;
CREATE INDEX ticket_states_held_due ON ticket_states (held_due) WHERE held_due IS NOT NULL;
CREATE INDEX ticket_states_open ON ticket_states (ticket_id) WHERE is_open;

-- While an import runs, a due in the past says nothing: the reply that met it may be the next line.
CREATE TABLE import_window (
    only_row     boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    is_open      boolean NOT NULL DEFAULT false,
    last_fact_at timestamptz
);
INSERT INTO import_window DEFAULT VALUES;
