-- E-mail out: what is to leave, written in the transaction of the event that it is about.

CREATE TABLE mail_outbox (
    id              uuid PRIMARY KEY,
    ticket_id       uuid        NOT NULL,
    number          bigint      NOT NULL,
    version         bigint      NOT NULL,
    message_id      uuid        NOT NULL,
    kind            text        NOT NULL CHECK (kind IN ('reply', 'acknowledgement')),
    mail_id         text        NOT NULL,
    recipient       text        NOT NULL,
    domain          text        NOT NULL,
    state           text        NOT NULL CHECK (state IN ('waiting', 'claimed', 'sent', 'dead', 'discarded')),
    attempts        integer     NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL,
    give_up_at      timestamptz,
    claim_id        uuid,
    claimed_until   timestamptz,
    created_at      timestamptz NOT NULL,
    finished_at     timestamptz,
    reached         text[]      NOT NULL DEFAULT '{}',
    failed          text[]      NOT NULL DEFAULT '{}',
    last_error      text,
    last_code       integer,
    decided_by      text
);
CREATE UNIQUE INDEX mail_outbox_by_mail_id ON mail_outbox (mail_id);
CREATE INDEX mail_outbox_due ON mail_outbox (next_attempt_at, id) WHERE state IN ('waiting', 'claimed');
CREATE INDEX mail_outbox_of_ticket ON mail_outbox (ticket_id, version);
CREATE INDEX mail_outbox_dead ON mail_outbox (id) WHERE state = 'dead';
CREATE INDEX mail_outbox_acknowledged ON mail_outbox (recipient, created_at) WHERE kind = 'acknowledgement';
COMMENT ON TABLE mail_outbox IS 'Mails out. The mail itself is made of the ticket''s events up to `version` whenever it is sent, each time the same bytes. `recipient` is the requester; `reached` and `failed` name who has it and who never will.';

ALTER TABLE mail_refusals ADD COLUMN ticket_id uuid;
COMMENT ON COLUMN mail_refusals.ticket_id IS 'The ticket that a person opened of the refused mail.';
