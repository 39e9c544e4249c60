-- The life of a ticket: what the customer is told about its end, tasks, participants, internal tickets.
ALTER TABLE tickets
    ADD COLUMN is_internal        boolean NOT NULL DEFAULT false,
    ADD COLUMN form               text,
    ADD COLUMN reopen_until       timestamptz,
    ADD COLUMN close_at           timestamptz,
    ADD COLUMN courtesy_count     integer NOT NULL DEFAULT 0,
    ADD COLUMN waits_for_children boolean NOT NULL DEFAULT false,
    ADD COLUMN participants       jsonb   NOT NULL DEFAULT '[]',
    ADD COLUMN tasks              jsonb   NOT NULL DEFAULT '[]';

ALTER TABLE messages
    ADD COLUMN quotes   uuid,
    ADD COLUMN courtesy text,
    ADD COLUMN copied   jsonb;

-- Messages that were split into another ticket; a row goes when the split is undone.
CREATE TABLE split_messages (
    message_id  uuid   PRIMARY KEY,
    ticket_id   uuid   NOT NULL,
    into_number bigint NOT NULL
);
CREATE INDEX split_messages_ticket ON split_messages (ticket_id);

-- One row a task, as it is now; `tickets.tasks` holds the same for the ticket's page.
CREATE TABLE tasks (
    task_id    uuid PRIMARY KEY,
    ticket_id  uuid        NOT NULL,
    title      text        NOT NULL,
    checklist  text,
    owner_id   text,
    owner_name text,
    due_at     timestamptz,
    is_done    boolean     NOT NULL DEFAULT false,
    is_removed boolean     NOT NULL DEFAULT false,
    added_at   timestamptz NOT NULL,
    done_at    timestamptz,
    due_sort   timestamptz GENERATED ALWAYS AS (COALESCE(due_at, 'infinity'::timestamptz)) STORED
);
CREATE INDEX tasks_ticket ON tasks (ticket_id);
CREATE INDEX tasks_owner  ON tasks (owner_id, due_sort, task_id) WHERE NOT is_done AND NOT is_removed;
CREATE INDEX tasks_due    ON tasks (due_sort, task_id) WHERE NOT is_removed;

-- Intake's configuration as it is now: fields, ticket types, forms, life policies.
CREATE TABLE configuration (
    kind       text        NOT NULL,
    name       text        NOT NULL,
    version    bigint      NOT NULL,
    definition jsonb,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (kind, name)
);
