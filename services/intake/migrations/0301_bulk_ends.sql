-- A job takes more tickets until it was stopped or undone.
ALTER TABLE bulk_jobs ADD COLUMN ended_at timestamptz;
COMMENT ON COLUMN bulk_jobs.ended_at IS 'When it was stopped or undone: nothing is added or begun any more.';
