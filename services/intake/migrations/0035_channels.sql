-- What the channels beside mail keep: where a conversation stands, whose an address is, the log of calls.

CREATE TABLE channel_threads (
    id          uuid PRIMARY KEY,
    source      text        NOT NULL,
    thread      text        NOT NULL,
    ticket_id   uuid        NOT NULL,
    number      bigint      NOT NULL,
    heard_at    timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL
);
CREATE INDEX channel_threads_by_ticket ON channel_threads (ticket_id);
COMMENT ON TABLE channel_threads IS 'A conversation over there (a messenger''s chat, a caller''s number) and the ticket that its next message belongs to. `id` derives from source and thread; `heard_at`: when the customer last wrote or called.';

CREATE TABLE person_addresses (
    address      text PRIMARY KEY,
    person_id    text        NOT NULL,
    name         text,
    email        text,
    organization text,
    recorded_at  timestamptz NOT NULL
);
COMMENT ON TABLE person_addresses IS 'Whose a number or an account is, as people who work here have said: `tel:+4930…`, `mailto:…`, `telegram:…`.';

CREATE TABLE phone_calls (
    id          uuid PRIMARY KEY,
    call_id     text        NOT NULL,
    direction   text        NOT NULL,
    caller      text        NOT NULL,
    callee      text        NOT NULL,
    started_at  timestamptz NOT NULL,
    answered_at timestamptz,
    ended_at    timestamptz NOT NULL,
    agent_id    text,
    recording   text,
    done        text        NOT NULL,
    why         text        NOT NULL,
    ticket_id   uuid,
    number      bigint,
    recorded_at timestamptz NOT NULL
);
CREATE INDEX phone_calls_by_time ON phone_calls (id DESC);
CREATE INDEX phone_calls_by_ticket ON phone_calls (ticket_id) WHERE ticket_id IS NOT NULL;
CREATE INDEX phone_calls_by_caller ON phone_calls (caller, id DESC);
CREATE INDEX phone_calls_by_callee ON phone_calls (callee, id DESC);
COMMENT ON TABLE phone_calls IS 'Every call that was reported, also those that came to no ticket.';
