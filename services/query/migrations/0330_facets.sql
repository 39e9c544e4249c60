-- What tickets are listed by besides their own columns: tags (name `tag`) and custom fields (`field.<name>`), one row a
-- value. Written when a ticket's tags or fields change and not with its other events; narrow, so that the tickets with a
-- value, or in its order, are read from an index alone. `number`: of numbers, which text would put in the wrong order.
CREATE TABLE facets (
    ticket_id uuid             NOT NULL,
    name      text COLLATE "C" NOT NULL,
    value     text COLLATE "C" NOT NULL,
    number    double precision,
    PRIMARY KEY (name, value, ticket_id)
);

INSERT INTO facets (ticket_id, name, value)
SELECT DISTINCT ticket_id, 'tag', tag FROM tickets CROSS JOIN unnest(tags) AS tag;

INSERT INTO facets (ticket_id, name, value, number)
SELECT DISTINCT ON (t.ticket_id, f.key, left(v.value #>> '{}', 200)) t.ticket_id, 'field.' || f.key,
       left(v.value #>> '{}', 200),
       CASE jsonb_typeof(v.value) WHEN 'number' THEN (v.value #>> '{}')::double precision END
FROM tickets AS t CROSS JOIN jsonb_each(t.fields) AS f
CROSS JOIN jsonb_array_elements(CASE jsonb_typeof(f.value) WHEN 'array' THEN f.value ELSE jsonb_build_array(f.value) END) AS v
WHERE jsonb_typeof(v.value) IN ('string', 'number', 'boolean');

CREATE INDEX facets_ticket ON facets (ticket_id);
CREATE INDEX facets_number ON facets (name, number, ticket_id) WHERE number IS NOT NULL;
ANALYZE facets;

-- Its place took an entry for every event of a ticket with tags.
DROP INDEX tickets_tags;

-- Found by other tables' rows (words, tags, fields), thousands of tickets are filtered and ordered without a look at
-- their wide rows.
ALTER TABLE tickets DROP CONSTRAINT tickets_pkey;
ALTER TABLE tickets ADD PRIMARY KEY (ticket_id)
    INCLUDE (changed_at, opened_at, due_sort, priority_rank, group_id, assignee_id, category, priority, is_open,
             is_breached, is_at_risk, via, version);
