-- One row: whoever decides locks it first, so the decisions of all routing processes come one after the other.
CREATE TABLE desk (
    only_row     boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    stamp        uuid    NOT NULL,
    turn         bigint  NOT NULL,
    is_importing boolean NOT NULL,
    rules_version integer NOT NULL,
    rules        jsonb   NOT NULL
);
INSERT INTO desk VALUES (true, gen_random_uuid(), 0, false, 0, '[]');
COMMENT ON COLUMN desk.stamp IS 'New with every decision: a process whose copy of the roster bears it may use the copy.';
COMMENT ON COLUMN desk.turn IS 'Counts assignments over all agents; an agent''s own turn is the count at its last one (R6).';

CREATE TABLE groups (
    group_id text    PRIMARY KEY,
    version  integer NOT NULL,
    profile  jsonb   NOT NULL
);

CREATE TABLE agents (
    agent_id        text    PRIMARY KEY,
    position        integer NOT NULL,
    version         integer NOT NULL,
    profile         jsonb   NOT NULL,
    presence        text    NOT NULL,
    chosen_presence text    NOT NULL,
    presence_since  timestamptz NOT NULL,
    is_leased       boolean NOT NULL,
    load            double precision NOT NULL CHECK (load >= 0),
    turn            bigint  NOT NULL,
    idle_since      timestamptz NOT NULL
);

-- The queue of all tickets that ask the same of an agent.
CREATE TABLE lanes (
    lane     integer PRIMARY KEY,
    group_id text,
    skills   jsonb   NOT NULL,
    excluded text[]  NOT NULL,
    waiting  integer NOT NULL CHECK (waiting >= 0)
);

CREATE TABLE tickets (
    ticket_id      uuid    PRIMARY KEY,
    version        integer NOT NULL,
    ticket_version integer NOT NULL,
    number         bigint,
    external_id    text,
    requester_id   text,
    rank           smallint NOT NULL,
    category       text    NOT NULL,
    group_id       text,
    agent_id       text,
    skills         jsonb   NOT NULL,
    rule           text,
    rules_version  integer,
    lane           integer,
    queued_at      timestamptz,
    generation     integer NOT NULL,
    refusals       text    NOT NULL,
    due_at         timestamptz,
    dues           jsonb   NOT NULL,
    excluded       text[]  NOT NULL,
    is_held        boolean NOT NULL,
    touched_at     timestamptz,
    facts          jsonb
);
-- The order of the queue (rule R3); a lane is read from its head.
CREATE INDEX tickets_waiting ON tickets (lane, rank DESC, due_at NULLS LAST, queued_at, ticket_id) WHERE lane IS NOT NULL;
CREATE INDEX tickets_in_hand ON tickets (agent_id) WHERE agent_id IS NOT NULL AND category IN ('new', 'open', 'answered');
CREATE INDEX tickets_external ON tickets (external_id) WHERE external_id IS NOT NULL;
CREATE INDEX tickets_held ON tickets (touched_at) WHERE is_held;
