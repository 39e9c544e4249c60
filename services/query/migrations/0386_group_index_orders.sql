-- A search within one group looks up the word's tickets and the group's, and puts the few that are both into the list's
-- order: what orders a list travels in the group's index, so no row of either is fetched for it.
DROP INDEX tickets_group_due;
CREATE INDEX tickets_group_due ON tickets (group_id, due_sort, ticket_id)
    INCLUDE (assignee_id, category, priority, is_open, is_breached, is_at_risk, changed_at, opened_at, priority_rank, via)
    WHERE is_open AND version > 0;
