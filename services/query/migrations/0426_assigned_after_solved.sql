COMMENT ON COLUMN bi.ticket_metrics.first_assignment_to_resolution_calendar_minutes IS
    'First assignment to last solved, as dbt_zendesk counts it: negative where a ticket was first assigned after it was solved.';
COMMENT ON COLUMN bi.ticket_metrics.last_assignment_to_resolution_calendar_minutes IS
    'Present assignment to last solved, as dbt_zendesk counts it: negative where a ticket was assigned again after it was solved.';
