-- What the life of a ticket needs beside its events.

CREATE TABLE closings (
    ticket_id uuid PRIMARY KEY,
    until     timestamptz NOT NULL
);
CREATE INDEX closings_by_moment ON closings (until);
COMMENT ON TABLE closings IS 'Solved tickets that close by themselves at a moment. A row goes when the ticket is no longer solved.';

CREATE TABLE ticket_owners (
    ticket_id uuid PRIMARY KEY,
    group_id  text,
    agent_id  text
);
COMMENT ON TABLE ticket_owners IS 'Who has a ticket, as routing last said (assignments.v1).';

CREATE TABLE configuration (
    kind       text   NOT NULL,
    name       text   NOT NULL,
    version    bigint NOT NULL,
    definition jsonb,
    PRIMARY KEY (kind, name)
);
COMMENT ON TABLE configuration IS 'Fields, ticket types, forms and life policies in force, and the calendars that sla has published (policies.v1). A definition that was taken away is null.';
