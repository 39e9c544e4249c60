-- The usual order within one group: a search walks past nothing of other groups.
CREATE INDEX tickets_group_changed ON tickets (group_id, changed_at DESC, ticket_id DESC) WHERE is_open AND version > 0;
