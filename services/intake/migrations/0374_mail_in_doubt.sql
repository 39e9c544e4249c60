-- SMTP has no transaction. Said and committed before a mail is handed over, so that who finds a dead sender's mail knows
-- whether it may have left: then it is not sent again by itself.
ALTER TABLE mail_outbox ADD COLUMN is_handing_over boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN mail_outbox.is_handing_over IS 'From before the mail goes to the server until its answer is written down.';
