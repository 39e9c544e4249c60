-- What a copy made by SQL needs beside the rows themselves: what is gone, and whether this is still the same database.
CREATE VIEW bi.export_tombstone AS
SELECT source, key, change_tx AS export_position, deleted_at FROM tombstones;

CREATE VIEW bi.export_origin AS
SELECT encode(sha256(secret::bytea), 'hex') AS origin, made_at FROM export_seal;
INSERT INTO export_seal DEFAULT VALUES;

COMMENT ON VIEW bi.export_tombstone IS 'One row per deleted row of an exported view; copies remove what has this key.';
COMMENT ON COLUMN bi.export_tombstone.source IS 'The table it was deleted from.';
COMMENT ON COLUMN bi.export_tombstone.key IS 'The key of the deleted row, as text.';
COMMENT ON COLUMN bi.export_tombstone.export_position IS 'Grows with the commit of the deletion, like that of the rows.';
COMMENT ON COLUMN bi.export_tombstone.deleted_at IS 'When it was deleted (UTC).';
COMMENT ON VIEW bi.export_origin IS 'One row: which database this is. A copy of another one must be made anew.';
COMMENT ON COLUMN bi.export_origin.origin IS 'Changes when the database is made anew; says nothing else.';
COMMENT ON COLUMN bi.export_origin.made_at IS 'Since when (UTC).';
