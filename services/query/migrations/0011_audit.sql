-- The audit in the order of time, and by person. Newest rows are appended at the end of the first index; the second
-- repeats few actors, which btrees keep once.
CREATE INDEX timeline_time  ON timeline (recorded_at);
CREATE INDEX timeline_actor ON timeline (actor_id, recorded_at);
DROP INDEX timeline_recorded;
