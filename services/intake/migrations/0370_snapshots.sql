-- States of tickets with a long history, so that a process that has not seen one reads few of its events.
CREATE TABLE snapshots (
    stream_id uuid   PRIMARY KEY,
    version   bigint NOT NULL,
    schema    text   NOT NULL,
    state     bytea  NOT NULL
);
COMMENT ON TABLE snapshots IS 'Copies, never the truth: written with the events that they hold, valid for the code that made them (`schema`). The table may be emptied at any time.';
