-- Chats: what is written after the end is shown to a visitor who comes back.

ALTER TABLE chat_conversations ADD COLUMN shown_until timestamptz;
COMMENT ON COLUMN chat_conversations.shown_until IS 'Until when an ended chat is shown to its visitor, because something was written after the end; null: it is not.';
CREATE INDEX chat_conversations_shown ON chat_conversations (visitor_id, opened_at DESC) WHERE shown_until IS NOT NULL;
