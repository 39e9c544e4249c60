-- What a dry run and a backtest must know of the past and no event of routing tells.
ALTER TABLE tickets
    ADD COLUMN opened_at timestamptz,
    ADD COLUMN trail     jsonb NOT NULL DEFAULT '[]';
COMMENT ON COLUMN tickets.trail IS 'When it began and ceased to need an agent, was first answered, was due: [moment, what, value] in order; see domain/trail.py.';

-- A ticket's id carries the moment at which it was made (UUID version 7); an imported one is older than its id.
UPDATE tickets SET opened_at = coalesce(queued_at, touched_at, uuid_extract_timestamp(ticket_id)) WHERE ticket_version > 0;
CREATE INDEX tickets_opened ON tickets (opened_at);
