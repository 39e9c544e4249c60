-- The leaves of each signed day's tree, in its order, so that one stream can be proven without all others (ADR 0010).
-- A row is up to 1,024 heads of 56 bytes: stream id, version, link; `root` is the root over them.
CREATE TABLE audit_day_heads (
    day    date    NOT NULL,
    number integer NOT NULL,
    first  uuid    NOT NULL,
    heads  bytea   NOT NULL,
    root   bytea   NOT NULL,
    PRIMARY KEY (day, number)
);
ALTER TABLE audit_day_heads ALTER COLUMN heads SET STORAGE EXTERNAL; -- hashes do not compress
