-- What customers think of a solution: when they are asked, and the mails that ask them.
CREATE TABLE surveys_due (
    ticket_id uuid PRIMARY KEY,
    until     timestamptz NOT NULL
);
CREATE INDEX surveys_due_by_moment ON surveys_due (until);
COMMENT ON TABLE surveys_due IS 'Solved tickets whose requester will be asked what they think of it. A row goes when they were asked, or never will be.';

ALTER TABLE mail_outbox DROP CONSTRAINT mail_outbox_kind_check;
ALTER TABLE mail_outbox ADD CONSTRAINT mail_outbox_kind_check CHECK (kind IN ('reply', 'acknowledgement', 'survey'));
