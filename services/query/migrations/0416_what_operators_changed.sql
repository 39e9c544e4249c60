-- Operations on query say what they changed, as subscriptions of reports do: the audit by field finds both.
DROP INDEX reads_changed;
CREATE INDEX reads_changed ON reads (recorded_at)
    WHERE topic IN ('report_subscription.changed.v1', 'query_operation.recorded.v1');
