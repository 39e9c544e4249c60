-- The definition of every figure about one ticket, once. The API, the report and the schema bi read this view; the
-- words for people stand in services/query/metrics.py. Seconds are calendar seconds unless named business.
CREATE VIEW ticket_figures AS
SELECT
    t.ticket_id,
    t.reopen_count > 0 AS is_reopened,
    -- The first placement into a group is no handoff when a rule made it or it came with the opening. Every later
    -- change is one, also out of and into the pool without a group.
    GREATEST(
        t.group_change_count
        - CASE WHEN t.initial_group_by_rule OR t.initial_group_at <= t.opened_at THEN 1 ELSE 0 END,
        0
    ) AS group_handoff_count,
    extract(epoch FROM t.first_reply_at - t.opened_at)::double precision AS first_reply_seconds,
    extract(epoch FROM t.first_resolved_at - t.opened_at)::double precision AS first_resolution_seconds,
    -- A ticket that is open again is not resolved, whatever once was.
    CASE WHEN NOT t.is_open THEN extract(epoch FROM t.resolved_at - t.opened_at)::double precision END
        AS full_resolution_seconds,
    extract(epoch FROM t.closed_at - t.opened_at)::double precision AS opened_to_closed_seconds,
    CASE WHEN t.is_open THEN extract(epoch FROM now() - t.opened_at)::double precision END AS unsolved_age_seconds,
    t.seconds_new + CASE WHEN t.category = 'new' THEN s.running ELSE 0 END AS new_seconds,
    t.seconds_open + CASE WHEN t.category = 'open' THEN s.running ELSE 0 END AS open_seconds,
    t.seconds_answered + CASE WHEN t.category = 'answered' THEN s.running ELSE 0 END AS answered_seconds,
    t.seconds_pending + CASE WHEN t.category = 'pending' THEN s.running ELSE 0 END AS pending_seconds,
    t.seconds_hold + CASE WHEN t.category = 'hold' THEN s.running ELSE 0 END AS hold_seconds,
    t.seconds_postponed + CASE WHEN t.category = 'postponed' THEN s.running ELSE 0 END AS postponed_seconds,
    t.seconds_solved + CASE WHEN t.category = 'solved' THEN s.running ELSE 0 END AS solved_seconds,
    t.seconds_new + t.seconds_open
        + CASE WHEN t.category IN ('new', 'open') THEN s.running ELSE 0 END AS agent_work_seconds,
    t.seconds_new + t.seconds_open + t.seconds_hold
        + CASE WHEN t.category IN ('new', 'open', 'hold') THEN s.running ELSE 0 END AS requester_wait_seconds,
    t.seconds_pending + CASE WHEN t.category = 'pending' THEN s.running ELSE 0 END AS agent_wait_seconds,
    t.unassigned_seconds + CASE
        WHEN t.is_open AND t.unassigned_since IS NOT NULL
        THEN GREATEST(extract(epoch FROM now() - t.unassigned_since)::double precision, 0) ELSE 0
    END AS unassigned_seconds
FROM tickets AS t
CROSS JOIN LATERAL (
    SELECT GREATEST(extract(epoch FROM now() - t.category_since)::double precision, 0) AS running
) AS s
WHERE t.version > 0;

-- The verdict on one clock (rule S4). Undecided: still running within its time, or cancelled before its time.
CREATE VIEW cycle_figures AS
SELECT
    c.*,
    c.state IN ('running', 'paused') AS is_active,
    c.is_breached OR c.state = 'met' AS is_decided,
    CASE WHEN c.is_breached THEN false WHEN c.state = 'met' THEN true END AS is_attained
FROM sla_cycles AS c;
