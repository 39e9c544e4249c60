-- What the mail channel keeps beside the events, written in the transaction of the event it belongs to.

CREATE TABLE secrets (
    name  text PRIMARY KEY,
    value bytea NOT NULL
);
COMMENT ON TABLE secrets IS 'Keys that sign what we send out: Message-IDs, tokens in subjects, download links. Made at first start.';
INSERT INTO secrets (name, value)
SELECT name, decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex')
FROM unnest(ARRAY['mail', 'attachments']) AS name;

CREATE TABLE mail_ids (
    id          uuid PRIMARY KEY,
    ticket_id   uuid        NOT NULL,
    number      bigint      NOT NULL,
    sender      text,
    recorded_at timestamptz NOT NULL
);
CREATE INDEX mail_ids_by_number ON mail_ids (number);
CREATE INDEX mail_ids_by_sender ON mail_ids (sender, recorded_at) WHERE sender IS NOT NULL;
COMMENT ON TABLE mail_ids IS 'Message-IDs seen and sent (`id` derives from one) and the ticket of each; `sender` only of those that came in.';

CREATE TABLE mail_refusals (
    id          uuid PRIMARY KEY,
    recorded_at timestamptz NOT NULL,
    kind        text        NOT NULL,
    reason      text        NOT NULL,
    sender      text,
    subject     text        NOT NULL,
    message_id  text,
    mailbox     text,
    size        bigint      NOT NULL,
    sha256      text        NOT NULL
);
CREATE INDEX mail_refusals_by_time ON mail_refusals (recorded_at DESC, id DESC);
CREATE INDEX mail_refusals_by_sender ON mail_refusals (sender, recorded_at) WHERE sender IS NOT NULL;
COMMENT ON TABLE mail_refusals IS 'Mails that made no ticket and belong to none, and why.';
