-- How far a ticket's ladders have been climbed and which pages wait for an acknowledgement: beside the engine's
-- state, under the same row lock and the same timer column. Null for the many tickets without any.
ALTER TABLE ticket_states ADD COLUMN escalation bytea;
ALTER TABLE ticket_states ALTER COLUMN escalation SET STORAGE EXTERNAL;

-- Whom an alert is for (`agent:anna`, `lead:technical`, `role:supervisor`; empty: whoever listens), and which step
-- of the ladder called them (`2`, a page's level as `2:1`).
ALTER TABLE alerts ADD COLUMN targets text[] NOT NULL DEFAULT '{}';
ALTER TABLE alerts ADD COLUMN step text;
