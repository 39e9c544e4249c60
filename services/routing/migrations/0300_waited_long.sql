-- Who has waited longer than the group lets anything wait is served before all others, by when the wait began (R3).
ALTER TABLE tickets ADD COLUMN overdue_since timestamptz;
COMMENT ON COLUMN tickets.overdue_since IS 'When its wait began, once it has lasted longer than its group allows; else null.';

DROP INDEX tickets_waiting;
-- The order of the queue (rules R3, R16); a lane is read from its head.
CREATE INDEX tickets_waiting
    ON tickets (lane, overdue_since, is_raised DESC, rank DESC, due_at NULLS LAST, queued_at, ticket_id)
    WHERE lane IS NOT NULL;
