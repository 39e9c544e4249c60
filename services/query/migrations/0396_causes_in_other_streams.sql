-- What an event led to in another stream (a merge, a link, a rule's wish): few rows, which nobody finds without an index.
-- Within one stream the primary key leads there.
CREATE INDEX timeline_cause ON timeline (causation_id) WHERE position(stream_id::text IN causation_id) = 0;
-- What stands on a ticket's timeline and in a stream of its own: the wishes of triage.
CREATE INDEX timeline_beside ON timeline (ticket_id) WHERE ticket_id <> stream_id;
