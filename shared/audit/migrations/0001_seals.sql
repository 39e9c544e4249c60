-- The audit of one event log (ADR 0010). Written by the sealer, which follows the log in commit order.

-- Every event once, in commit order; `entries` is 56 bytes an event: stream id, version, hash of the row.
CREATE TABLE audit_seals (
    number      bigint PRIMARY KEY,
    day         date        NOT NULL,
    after       bigint      NOT NULL,
    last        bigint      NOT NULL,
    event_count integer     NOT NULL,
    entries     bytea       NOT NULL,
    previous    bytea       NOT NULL,
    hash        bytea       NOT NULL,
    key_id      text,
    signature   bytea,
    sealed_at   timestamptz NOT NULL
);
ALTER TABLE audit_seals ALTER COLUMN entries SET STORAGE EXTERNAL; -- hashes do not compress

-- The end of each stream's chain, and the day on which it last grew.
CREATE TABLE audit_heads (
    stream_id uuid PRIMARY KEY,
    version   bigint NOT NULL,
    link      bytea  NOT NULL,
    day       date   NOT NULL
) WITH (fillfactor = 70);

-- One row a day: the signed root over the heads of all streams that grew.
CREATE TABLE audit_days (
    number       bigint PRIMARY KEY,
    day          date        NOT NULL UNIQUE,
    last         bigint      NOT NULL,
    event_count  bigint      NOT NULL,
    stream_count bigint      NOT NULL,
    seal_number  bigint      NOT NULL,
    seal_hash    bytea       NOT NULL,
    heads_root   bytea       NOT NULL,
    previous     bytea       NOT NULL,
    hash         bytea       NOT NULL,
    key_id       text,
    signature    bytea,
    signed_at    timestamptz NOT NULL
);
