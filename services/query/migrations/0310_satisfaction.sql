-- What customers think of solutions: one row a question, and the sum of them on the ticket.
CREATE TABLE surveys (
    survey_id        uuid PRIMARY KEY,
    ticket_id        uuid        NOT NULL,
    resolution_count integer     NOT NULL,
    offered_at       timestamptz NOT NULL,
    expires_at       timestamptz NOT NULL,
    leaves_by        text,
    group_id         text,
    agent_id         text,
    policy_group     text,
    policy_version   bigint,
    score            text,
    first_score      text,
    comment          text,
    reason           text,
    rated_at         timestamptz,
    answers_count    integer     NOT NULL DEFAULT 0,
    is_good_to_bad   boolean     NOT NULL DEFAULT false,
    is_bad_to_good   boolean     NOT NULL DEFAULT false,
    change_tx        bigint      NOT NULL DEFAULT (pg_current_xact_id()::text::bigint)
);
CREATE INDEX surveys_ticket ON surveys (ticket_id);
CREATE INDEX surveys_offered ON surveys (offered_at);
CREATE INDEX surveys_change_tx ON surveys (change_tx);
CREATE TRIGGER stamp_change BEFORE UPDATE ON surveys FOR EACH ROW EXECUTE FUNCTION stamp_change();
CREATE TRIGGER note_deletion AFTER DELETE ON surveys FOR EACH ROW EXECUTE FUNCTION note_deletion('survey_id');

ALTER TABLE tickets ADD COLUMN satisfaction jsonb;

CREATE VIEW bi.fct_satisfaction AS
SELECT survey_id, ticket_id, resolution_count, offered_at, expires_at, leaves_by AS sent_by, group_id, agent_id,
       policy_group, policy_version, score, first_score, comment, reason, rated_at, answers_count, is_good_to_bad,
       is_bad_to_good, change_tx AS export_position
FROM surveys;

-- The names of dbt_zendesk's ticket_enriched and ticket_summary.
CREATE OR REPLACE VIEW bi.ticket_enriched AS
SELECT t.ticket_id, t.number AS ticket_number, t.external_id, t.subject, t.category AS status, t.label AS status_label,
       t.priority, t.ticket_type AS type, t.via AS created_channel, t.language, array_to_string(t.tags, ',') AS ticket_tags,
       t.fields::text AS custom_fields_json, t.requester_id, t.requester_name, t.requester_email,
       t.organization AS organization_name, t.group_id, g.name AS group_name, t.assignee_id,
       coalesce(t.assignee_name, a.name) AS assignee_name, a.email AS assignee_email, t.opened_at AS created_at,
       t.changed_at AS updated_at, t.resolved_at AS last_solved_at, t.closed_at, t.resolution_summary,
       t.resolution_code, t.policy_id AS sla_policy_id, t.policy_version AS sla_policy_version, t.due_at AS next_due_at,
       t.is_at_risk, t.is_breached, t.is_open, t.merged_into_number AS merged_into_ticket_number,
       t.change_tx AS export_position,
       coalesce((t.satisfaction ->> 'count')::integer, 0) AS ticket_total_satisfaction_scores,
       t.satisfaction ->> 'first_score' AS ticket_first_satisfaction_score,
       t.satisfaction ->> 'score' AS ticket_satisfaction_score,
       t.satisfaction ->> 'comment' AS ticket_satisfaction_comment,
       t.satisfaction ->> 'reason' AS ticket_satisfaction_reason,
       coalesce((t.satisfaction ->> 'is_good_to_bad')::boolean, false) AS is_good_to_bad_satisfaction_score,
       coalesce((t.satisfaction ->> 'is_bad_to_good')::boolean, false) AS is_bad_to_good_satisfaction_score
FROM tickets AS t
LEFT JOIN groups AS g USING (group_id)
LEFT JOIN agents AS a ON a.agent_id = t.assignee_id
WHERE t.version > 0;

CREATE OR REPLACE VIEW bi.ticket_summary AS
SELECT (SELECT count(*) FROM agents WHERE is_active) AS active_agent_count,
       count(DISTINCT requester_id) AS end_user_count,
       count(*) AS ticket_count,
       count(*) FILTER (WHERE category = 'new') AS new_ticket_count,
       count(*) FILTER (WHERE category = 'open') AS open_ticket_count,
       count(*) FILTER (WHERE category = 'answered') AS answered_ticket_count,
       count(*) FILTER (WHERE category = 'pending') AS pending_ticket_count,
       count(*) FILTER (WHERE category = 'hold') AS on_hold_ticket_count,
       count(*) FILTER (WHERE category = 'postponed') AS postponed_ticket_count,
       count(*) FILTER (WHERE category IN ('solved', 'closed')) AS solved_ticket_count,
       count(*) FILTER (WHERE is_open) AS unsolved_ticket_count,
       count(*) FILTER (WHERE assignee_id IS NOT NULL) AS assigned_ticket_count,
       count(*) FILTER (WHERE is_open AND assignee_id IS NULL) AS unassigned_unsolved_ticket_count,
       count(*) FILTER (WHERE agent_reply_count = 0) AS unreplied_ticket_count,
       count(*) FILTER (WHERE is_open AND agent_reply_count = 0) AS unreplied_unsolved_ticket_count,
       count(*) FILTER (WHERE assignment_count > 1) AS reassigned_ticket_count,
       count(*) FILTER (WHERE reopen_count > 0) AS reopened_ticket_count,
       count(*) FILTER (WHERE is_breached) AS breached_ticket_count,
       count(*) FILTER (WHERE satisfaction IS NOT NULL) AS surveyed_satisfaction_ticket_count
FROM tickets WHERE version > 0;

COMMENT ON VIEW bi.fct_satisfaction IS 'One row per question to a customer what they think of a solution; the answer as it stands now.';
COMMENT ON COLUMN bi.fct_satisfaction.survey_id IS 'The question (UUID); unique and stable.';
COMMENT ON COLUMN bi.fct_satisfaction.ticket_id IS 'The ticket (UUID).';
COMMENT ON COLUMN bi.fct_satisfaction.resolution_count IS 'Which solution of the ticket is meant; 1: the first.';
COMMENT ON COLUMN bi.fct_satisfaction.offered_at IS 'When the customer was asked (UTC).';
COMMENT ON COLUMN bi.fct_satisfaction.expires_at IS 'Until when the answer may be given and changed (UTC).';
COMMENT ON COLUMN bi.fct_satisfaction.sent_by IS 'The channel that brought the question (email); null: it stood on the ticket''s page and in the API.';
COMMENT ON COLUMN bi.fct_satisfaction.group_id IS 'The group that had the ticket when the customer was asked.';
COMMENT ON COLUMN bi.fct_satisfaction.agent_id IS 'The agent who had it then.';
COMMENT ON COLUMN bi.fct_satisfaction.policy_group IS 'Whose survey policy asked; *: that of all other groups.';
COMMENT ON COLUMN bi.fct_satisfaction.policy_version IS 'Which version of it.';
COMMENT ON COLUMN bi.fct_satisfaction.score IS 'good or bad, the last word; null: no answer.';
COMMENT ON COLUMN bi.fct_satisfaction.first_score IS 'good or bad, the first word; null: no answer.';
COMMENT ON COLUMN bi.fct_satisfaction.comment IS 'In the customer''s words.';
COMMENT ON COLUMN bi.fct_satisfaction.reason IS 'One of those that the survey policy offers.';
COMMENT ON COLUMN bi.fct_satisfaction.rated_at IS 'When the last answer came (UTC); null: none.';
COMMENT ON COLUMN bi.fct_satisfaction.answers_count IS 'How often it was answered; each change counts.';
COMMENT ON COLUMN bi.fct_satisfaction.is_good_to_bad IS 'Whether the answer ever went from good to bad.';
COMMENT ON COLUMN bi.fct_satisfaction.is_bad_to_good IS 'Whether the answer ever went from bad to good.';
COMMENT ON COLUMN bi.fct_satisfaction.export_position IS 'Grows with every change of the row; what an incremental copy goes by.';
COMMENT ON COLUMN bi.ticket_enriched.ticket_total_satisfaction_scores IS 'How often the customer said good or bad; each change counts.';
COMMENT ON COLUMN bi.ticket_enriched.ticket_first_satisfaction_score IS 'The first score: good or bad.';
COMMENT ON COLUMN bi.ticket_enriched.ticket_satisfaction_score IS 'The last score: good or bad; offered: asked and not answered; null: not asked.';
COMMENT ON COLUMN bi.ticket_enriched.ticket_satisfaction_comment IS 'The comment with the last score.';
COMMENT ON COLUMN bi.ticket_enriched.ticket_satisfaction_reason IS 'The reason with the last score.';
COMMENT ON COLUMN bi.ticket_enriched.is_good_to_bad_satisfaction_score IS 'Whether a score good was ever followed by bad.';
COMMENT ON COLUMN bi.ticket_enriched.is_bad_to_good_satisfaction_score IS 'Whether a score bad was ever followed by good.';
COMMENT ON COLUMN bi.ticket_summary.surveyed_satisfaction_ticket_count IS 'Asked what they think of a solution, answered or not.';

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'bi_reader') THEN
        GRANT SELECT ON bi.fct_satisfaction TO bi_reader;
    END IF;
END $$;
