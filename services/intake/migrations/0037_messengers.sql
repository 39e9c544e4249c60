-- Messengers out: what is to leave, written in the transaction of the event that it is about.

CREATE TABLE messenger_outbox (
    id              uuid PRIMARY KEY,
    ticket_id       uuid        NOT NULL,
    message_id      uuid        NOT NULL,
    part            integer     NOT NULL,
    source          text,
    thread          text,
    text            text        NOT NULL,
    author          text,
    heard_at        timestamptz,
    state           text        NOT NULL CHECK (state IN ('waiting', 'claimed', 'sent', 'dead', 'discarded')),
    attempts        integer     NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL,
    claimed_until   timestamptz,
    created_at      timestamptz NOT NULL,
    finished_at     timestamptz,
    external_id     text,
    delivery        text,
    last_error      text
);
CREATE INDEX messenger_outbox_due ON messenger_outbox (id) WHERE state IN ('waiting', 'claimed');
CREATE INDEX messenger_outbox_dead ON messenger_outbox (id DESC) WHERE state = 'dead';
CREATE INDEX messenger_outbox_by_external ON messenger_outbox (source, external_id) WHERE external_id IS NOT NULL;
COMMENT ON TABLE messenger_outbox IS 'Replies that leave by a messenger, in the order in which they were written (`id`); `delivery`: what the messenger has told of it since (delivered, read, failed).';
