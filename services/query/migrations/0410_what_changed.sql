-- The audit by field alone: names of the fields that an event changed. Names only, and only of events that changed any:
-- an index over `changes` itself would hold every value too. They come in few combinations, so the planner's list of common
-- values knows how often each field changes: what is frequent is found along the time, what is rare here.
CREATE INDEX timeline_changed ON timeline USING gin (jsonb_path_query_array(changes, '$.keyvalue().key'))
    WHERE changes <> '{}';
-- Of query's own records only one kind says what changed.
CREATE INDEX reads_changed ON reads (recorded_at) WHERE topic = 'report_subscription.changed.v1';
