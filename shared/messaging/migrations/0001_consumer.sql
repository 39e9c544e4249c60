-- The next offset to apply. Moved by compare-and-set together with the effects, so a zombie is fenced.
CREATE TABLE consumer_positions (
    consumer  text   NOT NULL,
    topic     text   NOT NULL,
    partition integer NOT NULL,
    position  bigint NOT NULL,
    PRIMARY KEY (consumer, topic, partition)
);

-- The last version applied of each stream: what makes a redelivered event harmless and a missing one visible.
CREATE TABLE stream_versions (
    consumer  text   NOT NULL,
    topic     text   NOT NULL,
    stream_id uuid   NOT NULL,
    version   bigint NOT NULL,
    PRIMARY KEY (consumer, topic, stream_id)
);

-- Events that came before their predecessor; applied as soon as that arrives.
CREATE TABLE held_events (
    consumer  text   NOT NULL,
    topic     text   NOT NULL,
    stream_id uuid   NOT NULL,
    version   bigint NOT NULL,
    partition integer NOT NULL,
    record_offset bigint NOT NULL,
    wire_type text   NOT NULL,
    payload   bytea  NOT NULL,
    held_at   timestamptz NOT NULL,
    PRIMARY KEY (consumer, topic, stream_id, version)
);

-- Events that cannot be handled, and everything of the same stream behind them.
CREATE TABLE parked_events (
    consumer  text   NOT NULL,
    topic     text   NOT NULL,
    stream_id uuid   NOT NULL,
    version   bigint NOT NULL,
    partition integer NOT NULL,
    record_offset bigint NOT NULL,
    wire_type text   NOT NULL,
    payload   bytea  NOT NULL,
    error     text,
    attempts  integer NOT NULL DEFAULT 0,
    parked_at timestamptz NOT NULL,
    PRIMARY KEY (consumer, topic, stream_id, version)
);
COMMENT ON COLUMN parked_events.error IS 'Why the first one failed; null for those that only wait behind it.';
