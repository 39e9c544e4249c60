-- A requester with a tenth of all tickets, within one group and in another order than that of changes: the group's
-- tickets are read from this index alone, and none of their wide rows.
DROP INDEX tickets_group_due;
CREATE INDEX tickets_group_due ON tickets (group_id, due_sort, ticket_id)
    INCLUDE (assignee_id, category, priority, is_open, is_breached, is_at_risk, changed_at, opened_at, priority_rank, via,
             requester_id)
    WHERE is_open AND version > 0;
