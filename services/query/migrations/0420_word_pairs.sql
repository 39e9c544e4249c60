-- Which tickets have two words next to each other. The index of words (`search_everything`) has no positions: of a phrase
-- of common words it knows only who has them all, and each of those had to be read.
--
-- Projections do not write here. A reader follows them (`services/query/word_pairs.py`) by the stamp that every changed
-- ticket has anyway, and says how far it is; what changed since is tested one by one. A row too many does no harm.
CREATE FUNCTION word_pair(word text, next_word text) RETURNS integer
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN (hashtextextended(word || ' ' || next_word, 0) & 262143)::integer;
COMMENT ON FUNCTION word_pair IS 'One of 2^18 numbers: so many keys stay small, and few pairs of a document share one by chance.';

-- Some 260 bytes a ticket.
CREATE TABLE search_pairs (
    ticket_id     uuid      PRIMARY KEY,
    indexed_bytes integer   NOT NULL,
    pairs         integer[] NOT NULL
);
COMMENT ON COLUMN search_pairs.indexed_bytes IS 'Of the document that was read: it grows whenever the document does.';

-- What is not yet merged into the index is read by every search: 256 kB of it take a fraction of a millisecond.
CREATE INDEX search_pairs_pairs ON search_pairs USING gin (pairs) WITH (gin_pending_list_limit = 256);

CREATE TABLE search_pairs_progress (
    is_only     boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    documents   oid     NOT NULL,
    change_tx   bigint  NOT NULL,
    first_after uuid
);
COMMENT ON TABLE search_pairs_progress IS
    'Every document of the table `documents` is read as it was when its ticket had a change_tx below this one. A rebuild exchanges that table, so all are read anew: up to `first_after` in a first passage, NULL when that is through.';
