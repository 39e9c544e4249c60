-- Mails of rules to people who work here. `recipient` is an address, or whom it shall reach: `agent:<id>`, `lead:<group>`.
ALTER TABLE mail_outbox DROP CONSTRAINT mail_outbox_kind_check;
ALTER TABLE mail_outbox ADD CONSTRAINT mail_outbox_kind_check
    CHECK (kind IN ('reply', 'acknowledgement', 'survey', 'notice'));
