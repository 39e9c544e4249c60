-- Rows of `bi` that say names, or stand on other rows, move with them: a copy by `export_position` learns that a group or an
-- agent is called otherwise, that a calendar came late, and that a stint's handle time ended with its ticket's status.
-- `described_tx`: the transaction that last changed what tickets say of an agent or group. Presence is not among it: an
-- agent who goes to lunch would move every ticket. A row that is touched and not changed counts: a rebuild does so
-- with rows that came out otherwise.
ALTER TABLE agents ADD COLUMN described_tx bigint NOT NULL DEFAULT (pg_current_xact_id()::text::bigint);
ALTER TABLE groups ADD COLUMN described_tx bigint NOT NULL DEFAULT (pg_current_xact_id()::text::bigint);

CREATE FUNCTION describe_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.described_tx := pg_current_xact_id()::text::bigint;
    RETURN NEW;
END $$;
CREATE TRIGGER describe_change BEFORE UPDATE ON agents FOR EACH ROW
    WHEN (OLD.name IS DISTINCT FROM NEW.name OR OLD.email IS DISTINCT FROM NEW.email
          OR OLD.is_active IS DISTINCT FROM NEW.is_active OR OLD.* IS NOT DISTINCT FROM NEW.*)
    EXECUTE FUNCTION describe_change();
CREATE TRIGGER describe_change BEFORE UPDATE ON groups FOR EACH ROW
    WHEN (OLD.name IS DISTINCT FROM NEW.name OR OLD.* IS NOT DISTINCT FROM NEW.*)
    EXECUTE FUNCTION describe_change();

DO $$
DECLARE
    said text := pg_get_viewdef('bi.ticket_enriched'::regclass);
    own constant text := 't.change_tx AS export_position';
BEGIN
    IF position(own IN said) = 0 THEN
        RAISE EXCEPTION 'bi.ticket_enriched is not what this migration knows';
    END IF;
    EXECUTE 'CREATE OR REPLACE VIEW bi.ticket_enriched AS ' || replace(
        said, own,
        'GREATEST(t.change_tx, g.described_tx, a.described_tx, r.described_tx, s.described_tx) AS export_position');
END
$$;

-- How long it was the agent's turn stands on the ticket's status.
CREATE OR REPLACE VIEW bi.fct_assignment AS
SELECT f.ticket_id || ':' || f.version AS assignment_id, f.ticket_id, f.agent_id, f.agent_name, f.group_id, f.assigned_at,
       f.ended_at, f.end_reason, f.held_seconds, f.mode, f.strategy, f.why, f.rule, f.rules_version, f.load_before,
       f.load_after, f.capacity, f.candidates_count, f.waited_seconds, f.actor_id, f.ended_at IS NULL AS is_current,
       f.handle_seconds, greatest(f.change_tx, t.change_tx) AS export_position
FROM assignment_figures AS f LEFT JOIN tickets AS t USING (ticket_id);

-- Which tickets moved by something else than an event of their own; each at the position it has by that.
CREATE VIEW bi.export_touched AS
SELECT g.described_tx AS export_position, t.ticket_id FROM groups AS g JOIN tickets AS t USING (group_id)
WHERE t.version > 0 AND t.change_tx < g.described_tx
UNION
SELECT a.described_tx, t.ticket_id FROM agents AS a JOIN tickets AS t ON t.assignee_id = a.agent_id
WHERE t.version > 0 AND t.change_tx < a.described_tx
UNION
SELECT a.described_tx, t.ticket_id FROM agents AS a JOIN tickets AS t ON t.requester_id = a.agent_id
WHERE t.version > 0 AND t.change_tx < a.described_tx
UNION
SELECT a.described_tx, t.ticket_id FROM agents AS a JOIN messages AS o ON o.author_id = a.agent_id AND o.version = 1
JOIN tickets AS t USING (ticket_id)
WHERE t.version > 0 AND t.change_tx < a.described_tx
UNION
SELECT k.change_tx, t.ticket_id FROM definitions AS k
JOIN sla_cycles AS c ON c.calendar_id = k.id AND c.calendar_version = k.version JOIN tickets AS t USING (ticket_id)
WHERE k.kind = 'calendar' AND t.version > 0 AND t.change_tx < k.change_tx;

COMMENT ON VIEW bi.export_touched IS 'One row per ticket that moved because a group, an agent or a calendar did; copies read its enriched row and its metrics again.';
COMMENT ON COLUMN bi.export_touched.export_position IS 'Grows with the commit of that change, like that of the rows.';
COMMENT ON COLUMN bi.export_touched.ticket_id IS 'The ticket (UUID).';

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'bi_reader') THEN
        GRANT SELECT ON bi.export_touched TO bi_reader;
    END IF;
END $$;
