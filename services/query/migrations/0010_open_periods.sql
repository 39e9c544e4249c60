-- The past on request: which tickets were open at any instant.
-- A period is written once, when it ends; the one that still lasts is `tickets.open_since`. `node` is the fork node of
-- the period in a relational interval tree (Kriegel, Pötke, Seidl: VLDB 2000) over microseconds: a period is found at
-- one of some fifty nodes, so an instant costs what was open then, and not what happened since.
ALTER TABLE tickets ADD COLUMN open_since timestamptz;

CREATE TABLE open_periods (
    ticket_id uuid        NOT NULL,
    open_from timestamptz NOT NULL,
    open_to   timestamptz NOT NULL,
    node      bigint      NOT NULL
);

-- What was projected before.
WITH marked AS (
    SELECT ticket_id, version, value NOT IN ('solved', 'closed') AS is_open, valid_from, valid_to,
           lag(value NOT IN ('solved', 'closed')) OVER by_version AS was_open
    FROM spans WHERE field = 'status'
    WINDOW by_version AS (PARTITION BY ticket_id ORDER BY version)
),
numbered AS (
    SELECT *, count(*) FILTER (WHERE is_open AND was_open IS NOT TRUE)
              OVER (PARTITION BY ticket_id ORDER BY version) AS period
    FROM marked
),
periods AS (
    SELECT ticket_id, min(valid_from) AS open_from,
           CASE WHEN bool_and(valid_to IS NOT NULL) THEN max(valid_to) END AS open_to
    FROM numbered WHERE is_open GROUP BY ticket_id, period
),
lasting AS (
    UPDATE tickets AS t SET open_since = p.open_from FROM periods AS p
    WHERE p.ticket_id = t.ticket_id AND p.open_to IS NULL
)
INSERT INTO open_periods (ticket_id, open_from, open_to, node)
SELECT ticket_id, open_from, open_to, (last >> height) << height
FROM (
    SELECT *, length(ltrim(((first - 1) # last)::bit(64)::text, '0')) - 1 AS height
    FROM (
        SELECT *, (extract(epoch FROM open_from) * 1000000)::bigint AS first,
               (extract(epoch FROM open_to) * 1000000)::bigint - 1 AS last
        FROM periods WHERE open_to > open_from
    ) AS bounds
) AS forked;

CREATE INDEX open_periods_node ON open_periods (node, open_to, open_from);
