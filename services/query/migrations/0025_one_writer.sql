ALTER TABLE groups ADD COLUMN one_writer boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN groups.one_writer IS 'Whoever writes first keeps the others from sending, unless they insist (soft lock).';
