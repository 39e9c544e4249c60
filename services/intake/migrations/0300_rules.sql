-- Tickets that a time rule looks at, each with the next moment at which it does.
CREATE TABLE rule_timers (
    ticket_id uuid PRIMARY KEY,
    until timestamptz NOT NULL
);
CREATE INDEX rule_timers_by_moment ON rule_timers (until);

-- How far the tickets have been gone through since the rules changed; one row.
CREATE TABLE rule_arming (
    revision text NOT NULL,
    position bigint NOT NULL,
    until bigint NOT NULL
);
CREATE UNIQUE INDEX rule_arming_is_one ON rule_arming ((true));
INSERT INTO rule_arming (revision, position, until) VALUES ('', 0, 0);
