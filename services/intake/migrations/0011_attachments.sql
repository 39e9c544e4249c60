-- Files that came with messages. Their bytes are in the store of attachments, under their hash; each once.

CREATE TABLE attachments (
    ticket_id    uuid        NOT NULL,
    id           uuid        NOT NULL,
    message_id   uuid        NOT NULL,
    name         text        NOT NULL,
    content_type text        NOT NULL,
    size         bigint      NOT NULL,
    sha256       text        NOT NULL,
    is_internal  boolean     NOT NULL,
    is_original  boolean     NOT NULL,
    recorded_at  timestamptz NOT NULL,
    PRIMARY KEY (ticket_id, id)
);
COMMENT ON TABLE attachments IS 'Where the files of a ticket are; written with the event that names them. `is_internal`: no customer fetches it.';

CREATE TABLE uploads (
    id           uuid PRIMARY KEY,
    owner_id     text        NOT NULL,
    name         text        NOT NULL,
    content_type text        NOT NULL,
    size         bigint      NOT NULL,
    sha256       text        NOT NULL,
    recorded_at  timestamptz NOT NULL
);
CREATE INDEX uploads_by_time ON uploads (recorded_at);
COMMENT ON TABLE uploads IS 'Files sent ahead of the message that will name them; forgotten after a day.';
