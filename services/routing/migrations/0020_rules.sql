ALTER TABLE desk ADD COLUMN rules_mode text NOT NULL DEFAULT 'first';
COMMENT ON COLUMN desk.rules_mode IS 'first: the first rule that matches counts; all: every one that does.';

ALTER TABLE tickets ADD COLUMN strategy text;
COMMENT ON COLUMN tickets.strategy IS 'How it is shared out when a rule says so; null for the group''s own way.';
ALTER TABLE lanes ADD COLUMN strategy text;

-- Business hours as sla has defined them, for conditions on hours.<calendar>; every version, as one may build on another.
CREATE TABLE calendars (
    calendar_id text    NOT NULL,
    version     integer NOT NULL,
    definition  jsonb   NOT NULL,
    PRIMARY KEY (calendar_id, version)
);
