-- What intake keeps beside its events, written in the transaction of the event it belongs to.

CREATE SEQUENCE ticket_numbers;
COMMENT ON SEQUENCE ticket_numbers IS 'The numbers people know tickets by. They only grow; a crash may leave a gap.';

CREATE TABLE external_ids (
    external_id text PRIMARY KEY,
    ticket_id   uuid NOT NULL
);
COMMENT ON TABLE external_ids IS 'Ids of other systems under which tickets were opened: one ticket each, for good.';

CREATE TABLE postponements (
    ticket_id uuid PRIMARY KEY,
    until     timestamptz NOT NULL
);
CREATE INDEX postponements_by_moment ON postponements (until);
COMMENT ON TABLE postponements IS 'Tickets that wait for a moment. A row goes when the ticket leaves the status postponed.';
