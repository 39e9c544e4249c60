-- A ticket is in hand until it is solved or closed. So far a closed one counted until it was closed: days after its
-- solution an agent's occupancy of those days grew, when nobody worked. And what was solved earlier than it was given
-- to somebody (a fact that came late) took time away from the day. The end is that of the last span in which it was
-- open: a ticket that was opened again and then closed at once has an older solution.
CREATE OR REPLACE VIEW assignment_figures AS
SELECT a.*, e.ends_at,
       extract(epoch FROM e.ends_at - a.assigned_at)::double precision AS held_seconds,
       (
           SELECT coalesce(sum(extract(epoch FROM
               least(coalesce(s.valid_to, now()), e.ends_at) - greatest(s.valid_from, a.assigned_at))), 0)::double precision
           FROM spans AS s
           WHERE s.ticket_id = a.ticket_id AND s.field = 'status' AND s.value IN ('new', 'open')
             AND s.valid_from < e.ends_at AND coalesce(s.valid_to, now()) > a.assigned_at
       ) AS handle_seconds
FROM assignments AS a
LEFT JOIN tickets AS t USING (ticket_id)
CROSS JOIN LATERAL (
    SELECT coalesce(a.ended_at, CASE WHEN t.is_open THEN now() ELSE coalesce(
        (
            SELECT max(s.valid_to) FROM spans AS s
            WHERE s.ticket_id = a.ticket_id AND s.field = 'status' AND s.value NOT IN ('solved', 'closed')
        ),
        t.resolved_at, t.closed_at
    ) END) AS told_at
) AS o
CROSS JOIN LATERAL (
    -- Of a ticket that is not known yet nothing is told.
    SELECT CASE WHEN o.told_at IS NOT NULL THEN greatest(o.told_at, a.assigned_at) END AS ends_at
) AS e;

COMMENT ON COLUMN bi.fct_assignment.held_seconds IS
    'Calendar seconds with this agent: to the end of the assignment, else until the ticket was solved or closed, else to now.';
