-- Promises that a person must look at: found without reading all the others, and told by schema `bi`.
CREATE INDEX sla_cycles_in_question ON sla_cycles (ticket_id)
    WHERE needs_review OR unschedulable_reason IS NOT NULL;

-- A view lists its columns when it is made: both are made anew with two more at the end.
CREATE OR REPLACE VIEW cycle_figures AS
SELECT c.ticket_id, c.metric, c.cycle, c.version, c.policy_id, c.policy_version, c.calendar_id, c.calendar_version,
       c.priority, c.target_seconds, c.state, c.started_at, c.due_at, c.ended_at, c.elapsed_seconds, c.remaining_seconds,
       c.paused_seconds, c.margin_seconds, c.warned_at, c.is_breached, c.breach_id, c.breached_at, c.detected_at,
       c.breach_cause, c.breach_category, c.breach_group_id, c.breach_agent_id, c.retracted_at, c.cancel_reason,
       c.state IN ('running', 'paused') AS is_active,
       c.is_breached OR c.state = 'met' AS is_decided,
       CASE WHEN c.is_breached THEN false WHEN c.state = 'met' THEN true END AS is_attained,
       c.change_tx, c.unschedulable_reason, c.needs_review
FROM sla_cycles AS c;

CREATE OR REPLACE VIEW bi.fct_sla_cycle AS
SELECT ticket_id || ':' || metric || ':' || cycle AS sla_cycle_id, ticket_id, metric, cycle, policy_id, policy_version,
       calendar_id, calendar_version, priority AS priority_applied, state, target_seconds AS target_business_seconds,
       elapsed_seconds AS elapsed_business_seconds, paused_seconds AS paused_business_seconds,
       margin_seconds AS margin_business_seconds, started_at, due_at, ended_at, warned_at AS first_warned_at,
       breached_at, detected_at, retracted_at, breach_cause, breach_category, breach_group_id, breach_agent_id,
       cancel_reason, is_active, is_decided, is_attained, is_breached, change_tx AS export_position,
       unschedulable_reason, needs_review
FROM cycle_figures;

COMMENT ON COLUMN bi.fct_sla_cycle.unschedulable_reason IS
    'Why no deadline could be found (no_open_time, unknown_calendar); null: one could.';
COMMENT ON COLUMN bi.fct_sla_cycle.needs_review IS
    'A fact more than a day late speaks against the breach; it stands until a person decides.';
