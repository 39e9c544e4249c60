CREATE TABLE imap_positions (
    mailbox      text PRIMARY KEY,
    folder       text   NOT NULL,
    uid_validity bigint NOT NULL,
    last_uid     bigint NOT NULL
);
COMMENT ON TABLE imap_positions IS 'Up to which UID each polled mailbox was read; worth nothing once the server''s UIDVALIDITY has changed.';
