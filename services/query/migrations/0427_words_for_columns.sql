-- What some columns mean, in words of their own; `breach_category` was described as what it is not.
COMMENT ON COLUMN bi.dim_agent.agent_name IS
    'The agent''s name for people, as it is now.';
COMMENT ON COLUMN bi.dim_agent.presence_since_at IS
    'Since when the agent has been in this presence (UTC).';
COMMENT ON COLUMN bi.dim_calendar.actor_id IS
    'Who defined this version: id of an admin, or of the service that did it.';
COMMENT ON COLUMN bi.dim_calendar.is_current IS
    'Whether this version holds now; of each calendar one does.';
COMMENT ON COLUMN bi.dim_policy.actor_id IS
    'Who defined this version: id of an admin, or of the service that did it.';
COMMENT ON COLUMN bi.dim_policy.is_current IS
    'Whether this version holds now; of each policy one does.';
COMMENT ON COLUMN bi.dim_policy.policy_id IS
    'The SLA policy; the same in all of its versions.';
COMMENT ON COLUMN bi.dim_group.group_name IS
    'The group''s name for people, as it is now.';
COMMENT ON COLUMN bi.export_origin.made_at IS
    'When the database was made (UTC); cursors of an export are of this origin.';
COMMENT ON COLUMN bi.fct_assignment.agent_name IS
    'The agent''s name for people, as it is now.';
COMMENT ON COLUMN bi.fct_assignment.assigned_at IS
    'From when the agent had the ticket (UTC).';
COMMENT ON COLUMN bi.fct_assignment.actor_id IS
    'Who assigned it: id of an agent, or of the service that decided.';
COMMENT ON COLUMN bi.fct_assignment.is_current IS
    'Whether the agent still has the ticket.';
COMMENT ON COLUMN bi.fct_field_change.actor_id IS
    'Who changed it: id of an agent or a customer, or of the service that did it.';
COMMENT ON COLUMN bi.fct_message.actor_id IS
    'Who wrote it: id of an agent or a customer, or of the service that did it.';
COMMENT ON COLUMN bi.fct_ticket_event.actor_id IS
    'Who did it: id of an agent or a customer, or of the service that did it.';
COMMENT ON COLUMN bi.fct_sla_cycle.policy_id IS
    'The SLA policy by which the clock was judged.';
COMMENT ON COLUMN bi.fct_sla_cycle.breach_cause IS
    'What showed the breach: time_passed, or a fact that moved the deadline into the past (target_changed, late_fact, or the kind of fact).';
COMMENT ON COLUMN bi.fct_sla_cycle.breach_category IS
    'Status category in which the ticket was when the deadline was missed: new, open, pending, …';
COMMENT ON COLUMN bi.fct_sla_cycle.is_active IS
    'Whether the clock has not ended: it runs, or stands still for a while.';
COMMENT ON COLUMN bi.fct_sla_judged_again.judged_by IS
    'Who asked for the second judgement.';
COMMENT ON COLUMN bi.fct_sla_judged_again.judged_at IS
    'When the second judgement was made (UTC).';
COMMENT ON COLUMN bi.fct_ticket.note_count IS
    'Internal notes, which customers do not see.';
COMMENT ON COLUMN bi.fct_ticket.policy_id IS
    'The SLA policy by which its newest clock is judged.';
COMMENT ON COLUMN bi.sla_policies.sla_policy_name IS
    'The SLA policy by which the clock was judged.';
COMMENT ON COLUMN bi.ticket_enriched.subject IS
    'The subject as it is now.';
COMMENT ON COLUMN bi.ticket_enriched.group_name IS
    'Name of the group that has it now.';
COMMENT ON COLUMN bi.ticket_enriched.sla_policy_version IS
    'Version of the SLA policy by which its newest clock is judged.';
COMMENT ON COLUMN bi.ticket_field_history.valid_starting_at IS
    'From when the field had this value (UTC).';
COMMENT ON COLUMN bi.ticket_field_history.is_current IS
    'Whether the field still has this value.';
COMMENT ON COLUMN bi.ticket_field_history.user_id IS
    'Who changed it: id of an agent or a customer, or of the service that did it.';
COMMENT ON COLUMN bi.ticket_metrics.on_hold_time_in_calendar_minutes IS
    'Minutes on hold so far, by the clock.';
COMMENT ON COLUMN bi.ticket_metrics.new_status_duration_in_calendar_minutes IS
    'Minutes in new so far, by the clock.';
COMMENT ON COLUMN bi.ticket_metrics.open_status_duration_in_calendar_minutes IS
    'Minutes in open so far, by the clock.';
COMMENT ON COLUMN bi.ticket_metrics.answered_status_duration_in_calendar_minutes IS
    'Minutes in answered so far, by the clock.';
COMMENT ON COLUMN bi.ticket_metrics.postponed_status_duration_in_calendar_minutes IS
    'Minutes in postponed so far, by the clock.';
COMMENT ON COLUMN bi.ticket_metrics.count_internal_comments IS
    'Internal notes, which customers do not see.';
COMMENT ON COLUMN bi.ticket_metrics.is_two_touch_resolution IS
    'Solved with two public messages of an agent.';
COMMENT ON COLUMN bi.ticket_metrics.is_multi_touch_resolution IS
    'Solved with more than two public messages of an agent.';
COMMENT ON COLUMN bi.ticket_metrics.subject IS
    'The subject as it is now.';
COMMENT ON COLUMN bi.ticket_metrics.group_name IS
    'Name of the group that has it now.';
COMMENT ON COLUMN bi.ticket_summary.active_agent_count IS
    'Agents in use, that is not retired, whether they are online or not.';
COMMENT ON COLUMN bi.ticket_summary.ticket_count IS
    'All tickets, open or ended.';
COMMENT ON COLUMN bi.ticket_summary.new_ticket_count IS
    'Tickets that are in new now.';
COMMENT ON COLUMN bi.ticket_summary.open_ticket_count IS
    'Tickets that are in open now.';
COMMENT ON COLUMN bi.ticket_summary.answered_ticket_count IS
    'Tickets that are in answered now: an agent wrote last.';
COMMENT ON COLUMN bi.ticket_summary.pending_ticket_count IS
    'Tickets that are in pending now: they wait for the customer.';
COMMENT ON COLUMN bi.ticket_summary.on_hold_ticket_count IS
    'Tickets that are on hold now: they wait for somebody else.';
COMMENT ON COLUMN bi.ticket_summary.postponed_ticket_count IS
    'Tickets that are postponed to a moment to come.';
COMMENT ON COLUMN bi.ticket_summary.solved_ticket_count IS
    'Tickets that are solved or closed now.';
COMMENT ON COLUMN bi.ticket_summary.assigned_ticket_count IS
    'Tickets that an agent has now, or had at their end.';
