-- One row per ticket: its present state. Each column group is written by one topic only and carries that topic's
-- version, so topics may arrive in any order and any of them may create the row.
CREATE TABLE tickets (
    ticket_id              uuid PRIMARY KEY,

    -- tickets.v1
    version                bigint      NOT NULL DEFAULT 0,
    number                 bigint,
    external_id            text,
    subject                text,
    ticket_type            text,
    language               text,
    via                    text,
    is_outbound            boolean     NOT NULL DEFAULT false,
    requester_id           text,
    requester_name         text,
    requester_email        text,
    organization           text,
    priority               text,
    priority_rank          smallint    NOT NULL DEFAULT 0,
    initial_priority       text,
    priority_since         timestamptz,
    priority_version       bigint      NOT NULL DEFAULT 0,
    priority_change_count  integer     NOT NULL DEFAULT 0,
    category               text,
    label                  text,
    category_since         timestamptz,
    category_version       bigint      NOT NULL DEFAULT 0,
    postponed_until        timestamptz,
    is_open                boolean     NOT NULL DEFAULT false,
    tags                   text[]      NOT NULL DEFAULT '{}',
    fields                 jsonb       NOT NULL DEFAULT '{}',
    links                  jsonb       NOT NULL DEFAULT '[]',
    merged_into_id         uuid,
    merged_into_number     bigint,
    opened_at              timestamptz,
    updated_at             timestamptz,
    first_reply_at         timestamptz,
    last_agent_reply_at    timestamptz,
    last_customer_message_at timestamptz,
    waiting_since          timestamptz,
    first_resolved_at      timestamptz,
    resolved_at            timestamptz,
    closed_at              timestamptz,
    resolution_summary     text,
    resolution_code        text,
    closed_reason          text,
    resolution_count       integer     NOT NULL DEFAULT 0,
    reopen_count           integer     NOT NULL DEFAULT 0,
    customer_message_count integer     NOT NULL DEFAULT 0,
    agent_reply_count      integer     NOT NULL DEFAULT 0,
    note_count             integer     NOT NULL DEFAULT 0,
    seconds_new            double precision NOT NULL DEFAULT 0,
    seconds_open           double precision NOT NULL DEFAULT 0,
    seconds_answered       double precision NOT NULL DEFAULT 0,
    seconds_pending        double precision NOT NULL DEFAULT 0,
    seconds_hold           double precision NOT NULL DEFAULT 0,
    seconds_postponed      double precision NOT NULL DEFAULT 0,
    seconds_solved         double precision NOT NULL DEFAULT 0,

    -- assignments.v1
    routing_version        bigint      NOT NULL DEFAULT 0,
    group_id               text,
    group_since            timestamptz,
    group_version          bigint      NOT NULL DEFAULT 0,
    group_change_count     integer     NOT NULL DEFAULT 0,
    initial_group_at       timestamptz,
    initial_group_by_rule  boolean     NOT NULL DEFAULT false,
    group_ids              text[]      NOT NULL DEFAULT '{}',
    assignee_id            text,
    assignee_name          text,
    assigned_at            timestamptz,
    assignment_version     bigint      NOT NULL DEFAULT 0,
    first_assigned_at      timestamptz,
    assignment_count       integer     NOT NULL DEFAULT 0,
    assignee_ids           text[]      NOT NULL DEFAULT '{}',
    queued_at              timestamptz,
    unassigned_since       timestamptz,
    unassigned_seconds     double precision NOT NULL DEFAULT 0,
    routing_why            text,
    routed_at              timestamptz,

    -- sla.v1
    sla_version            bigint      NOT NULL DEFAULT 0,
    policy_id              text,
    policy_version         bigint,
    due_at                 timestamptz,
    due_metric             text,
    is_at_risk             boolean     NOT NULL DEFAULT false,
    is_breached            boolean     NOT NULL DEFAULT false,
    at_risk_metrics        text[]      NOT NULL DEFAULT '{}',
    breached_metrics       text[]      NOT NULL DEFAULT '{}',
    clocks                 jsonb       NOT NULL DEFAULT '[]',

    -- What lists are ordered by; computed here so that no topic writes another's column.
    changed_at             timestamptz GENERATED ALWAYS AS (GREATEST(updated_at, routed_at)) STORED,
    due_sort               timestamptz GENERATED ALWAYS AS (COALESCE(due_at, 'infinity'::timestamptz)) STORED
) WITH (fillfactor = 80);

-- A list is one walk along one of these; `version > 0` leaves out rows that intake has not told us about yet
-- (`is_open` implies it).
CREATE INDEX tickets_changed   ON tickets (changed_at DESC, ticket_id DESC) WHERE version > 0;
CREATE INDEX tickets_opened    ON tickets (opened_at DESC, ticket_id DESC) WHERE version > 0;
CREATE INDEX tickets_priority  ON tickets (priority_rank DESC, ticket_id DESC) WHERE version > 0;
CREATE INDEX tickets_due       ON tickets (due_sort, ticket_id) WHERE version > 0;
CREATE INDEX tickets_requester ON tickets (requester_id, changed_at DESC, ticket_id DESC) WHERE version > 0;
CREATE INDEX tickets_number    ON tickets (number) WHERE number IS NOT NULL;
CREATE INDEX tickets_external  ON tickets (external_id) WHERE external_id IS NOT NULL;
CREATE INDEX tickets_tags      ON tickets USING gin (tags) WHERE tags <> '{}';
CREATE INDEX tickets_backlog   ON tickets (group_id, assignee_id, category, priority) WHERE is_open;
CREATE INDEX tickets_group_due ON tickets (group_id, due_sort, ticket_id) WHERE is_open;
CREATE INDEX tickets_assignee  ON tickets (assignee_id, changed_at DESC, ticket_id DESC) WHERE is_open;
CREATE INDEX tickets_at_risk   ON tickets (due_sort, ticket_id) WHERE is_open AND (is_at_risk OR is_breached);

-- The conversation. Notes are internal: no customer ever reads a row with kind 'note'.
CREATE TABLE messages (
    ticket_id    uuid        NOT NULL,
    version      bigint      NOT NULL,
    message_id   uuid        NOT NULL,
    kind         text        NOT NULL CHECK (kind IN ('customer', 'agent', 'note')),
    is_automatic boolean     NOT NULL DEFAULT false,
    body         text        NOT NULL,
    sent_at      timestamptz NOT NULL,
    author_kind  text        NOT NULL,
    author_id    text        NOT NULL,
    author_name  text,
    via          text        NOT NULL,
    PRIMARY KEY (ticket_id, version)
);

-- What a search looks at: `everything` for agents, `public` (without notes) for the customer.
-- `indexed_bytes` is bounded by the projection because a tsvector holds at most 1 MB.
CREATE TABLE search_documents (
    ticket_id     uuid     PRIMARY KEY,
    everything    tsvector NOT NULL,
    public        tsvector NOT NULL,
    indexed_bytes integer  NOT NULL
);
CREATE INDEX search_everything ON search_documents USING gin (everything);

-- Every event, whole: the audit, the timeline and any later projection read it. `raw` is json and not jsonb because
-- json keeps the published bytes as they are. `changes` is field → [old, new].
CREATE TABLE timeline (
    stream_id      uuid        NOT NULL,
    topic          text        NOT NULL,
    version        bigint      NOT NULL,
    ticket_id      uuid,
    type           text        NOT NULL,
    occurred_at    timestamptz NOT NULL,
    recorded_at    timestamptz NOT NULL,
    actor_kind     text        NOT NULL,
    actor_id       text        NOT NULL,
    actor_name     text,
    via            text        NOT NULL,
    correlation_id text        NOT NULL,
    causation_id   text,
    changes        jsonb       NOT NULL,
    raw            json        NOT NULL,
    PRIMARY KEY (stream_id, topic, version)
);
CREATE INDEX timeline_recorded ON timeline USING brin (recorded_at) WITH (pages_per_range = 32, autosummarize = on);

-- Which value a field had from when to when (half-open; no end: still). Fields: status, priority, group.
CREATE TABLE spans (
    ticket_id  uuid        NOT NULL,
    field      text        NOT NULL CHECK (field IN ('status', 'priority', 'group')),
    version    bigint      NOT NULL,
    value      text,
    valid_from timestamptz NOT NULL,
    valid_to   timestamptz,
    PRIMARY KEY (ticket_id, field, version)
);

-- One row per time that an agent had a ticket, with the reason.
CREATE TABLE assignments (
    ticket_id        uuid        NOT NULL,
    version          bigint      NOT NULL,
    agent_id         text        NOT NULL,
    agent_name       text,
    group_id         text,
    assigned_at      timestamptz NOT NULL,
    ended_at         timestamptz,
    end_reason       text,
    mode             text        NOT NULL,
    strategy         text,
    decision_id      uuid        NOT NULL,
    why              text        NOT NULL,
    load_before      double precision,
    load_after       double precision,
    capacity         double precision,
    candidates_count integer     NOT NULL,
    rule             text,
    rules_version    bigint,
    waited_seconds   double precision NOT NULL,
    actor_id         text        NOT NULL,
    PRIMARY KEY (ticket_id, version)
);
CREATE INDEX assignments_agent ON assignments (agent_id, assigned_at);

-- One row per clock: ticket, metric, n-th cycle.
CREATE TABLE sla_cycles (
    ticket_id         uuid    NOT NULL,
    metric            text    NOT NULL,
    cycle             integer NOT NULL,
    version           bigint  NOT NULL,
    policy_id         text    NOT NULL,
    policy_version    bigint  NOT NULL,
    calendar_id       text,
    calendar_version  bigint,
    priority          text    NOT NULL,
    target_seconds    double precision NOT NULL,
    state             text    NOT NULL CHECK (state IN ('running', 'paused', 'met', 'cancelled')),
    started_at        timestamptz NOT NULL,
    due_at            timestamptz,
    ended_at          timestamptz,
    elapsed_seconds   double precision,
    remaining_seconds double precision,
    paused_seconds    double precision NOT NULL DEFAULT 0,
    margin_seconds    double precision,
    warned_at         timestamptz,
    is_breached       boolean NOT NULL DEFAULT false,
    breach_id         uuid,
    breached_at       timestamptz,
    detected_at       timestamptz,
    breach_cause      text,
    breach_category   text,
    breach_group_id   text,
    breach_agent_id   text,
    retracted_at      timestamptz,
    cancel_reason     text,
    PRIMARY KEY (ticket_id, metric, cycle)
);
