-- The keys of the stamps on web forms and of the sessions of chat visitors.

INSERT INTO secrets (name, value)
SELECT name, decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex')
FROM unnest(ARRAY['form', 'chat']) AS name;
