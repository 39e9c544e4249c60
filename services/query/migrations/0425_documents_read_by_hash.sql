-- A rebuild writes every document anew, and nearly always as it was. Reading a million of them for their pairs took half an
-- hour; a hash tells in two microseconds that a document is the one that was read.
CREATE FUNCTION document_hash(everything tsvector, public tsvector) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN hashtextextended(everything::text || chr(10) || coalesce(public::text, '-'), 0);
COMMENT ON FUNCTION document_hash IS 'The same for the same words at the same places; public: NULL where all of it is.';

-- Until a row is read anew it has none, and counts as another document.
ALTER TABLE search_pairs ADD COLUMN document_hash bigint, DROP COLUMN indexed_bytes;
COMMENT ON COLUMN search_pairs.document_hash IS 'Of the document that was read.';
COMMENT ON TABLE search_pairs_progress IS
    'Every document of the table `documents` is read as it was when its ticket had a change_tx below this one. A rebuild exchanges that table, so all are looked at anew: up to `first_after` in a first passage, NULL when that is through.';
