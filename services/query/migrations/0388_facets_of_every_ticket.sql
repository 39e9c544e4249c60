-- Type, language and organisation are found like tags: by narrow rows, in any order of the list.
INSERT INTO facets (ticket_id, name, value)
SELECT ticket_id, name, left(value, 200)
FROM tickets CROSS JOIN LATERAL (VALUES ('type', ticket_type), ('language', language), ('organization', organization)) AS f (name, value)
WHERE version > 0 AND value <> '';
ANALYZE facets;
