-- Second judgements: labelled, beside the first, which stands (rule S11). What they say of a ticket is an event of its
-- stream as well; these tables make a judgement that was interrupted go on without saying anything twice.
CREATE TABLE judgements (
    label       text        PRIMARY KEY,
    asked_at    timestamptz NOT NULL,
    asked_by    text        NOT NULL,
    question    jsonb       NOT NULL,
    until       timestamptz NOT NULL,
    result      jsonb,
    finished_at timestamptz
);

CREATE TABLE second_verdicts (
    label     text  NOT NULL REFERENCES judgements (label) ON DELETE CASCADE,
    ticket_id uuid  NOT NULL,
    verdicts  jsonb NOT NULL,
    PRIMARY KEY (label, ticket_id)
);
CREATE INDEX second_verdicts_ticket ON second_verdicts (ticket_id);

-- The explicit command of S10: match the policies in force anew for every ticket with a living clock. A task walks over
-- the tickets in batches and remembers how far it came.
CREATE TABLE reapplications (
    reapplication_id uuid        PRIMARY KEY,
    requested_at     timestamptz NOT NULL,
    requested_by     text        NOT NULL,
    correlation_id   text        NOT NULL,
    done_up_to       uuid        NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    tickets_count    bigint      NOT NULL DEFAULT 0,
    changed_count    bigint      NOT NULL DEFAULT 0,
    finished_at      timestamptz
);
CREATE INDEX reapplications_unfinished ON reapplications (requested_at) WHERE finished_at IS NULL;
