-- One macro on many tickets: the job and what has become of each ticket, written in the transaction of the ticket's change.

CREATE TABLE bulk_jobs (
    job_id         uuid        PRIMARY KEY,
    macro          text        NOT NULL,
    version        bigint      NOT NULL,
    definition     jsonb       NOT NULL,
    undo_of        uuid,
    actor          jsonb       NOT NULL,
    via            text        NOT NULL,
    correlation_id text        NOT NULL,
    created_at     timestamptz NOT NULL
);
COMMENT ON TABLE bulk_jobs IS 'The macro as it was when it was asked for: a later edit does not change a job that runs.';

CREATE TABLE bulk_items (
    job_id    uuid    NOT NULL REFERENCES bulk_jobs,
    place     integer NOT NULL,
    ticket_id uuid    NOT NULL,
    state     text    NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'done', 'unchanged', 'refused')),
    step_id   uuid,
    number    bigint,
    reason    text,
    PRIMARY KEY (job_id, place)
);
CREATE INDEX bulk_items_waiting ON bulk_items (job_id, place) WHERE state = 'waiting';
