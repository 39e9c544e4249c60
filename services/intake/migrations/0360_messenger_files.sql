-- Messengers out: files of a reply leave behind its words, each as a message of its own; and questions leave as replies do.

ALTER TABLE messenger_outbox ADD COLUMN file jsonb;
ALTER TABLE messenger_outbox ADD COLUMN kind text NOT NULL DEFAULT 'reply' CHECK (kind IN ('reply', 'survey'));
COMMENT ON COLUMN messenger_outbox.file IS 'The file that is sent, as the event names it; null: words.';
