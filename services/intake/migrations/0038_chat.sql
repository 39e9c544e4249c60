-- The live chat: conversations, their messages, and the tickets that stretches of them became.

CREATE TABLE chat_conversations (
    id            uuid PRIMARY KEY,
    visitor_id    text        NOT NULL,
    name          text,
    email         text,
    is_identified boolean     NOT NULL,
    page          text,
    state         text        NOT NULL CHECK (state IN ('waiting', 'open', 'ended')),
    agent_id      text,
    agent_name    text,
    last_sequence bigint      NOT NULL DEFAULT 0,
    opened_at     timestamptz NOT NULL,
    joined_at     timestamptz,
    heard_at      timestamptz NOT NULL,
    ended_at      timestamptz,
    ended_by      text
);
CREATE UNIQUE INDEX chat_conversations_of_visitor ON chat_conversations (visitor_id) WHERE state <> 'ended';
CREATE INDEX chat_conversations_running ON chat_conversations (opened_at) WHERE state <> 'ended';
CREATE INDEX chat_conversations_by_time ON chat_conversations (opened_at DESC, id DESC);
COMMENT ON TABLE chat_conversations IS 'Chats; a visitor has one at a time. `waiting` for an agent, `open` with one, `ended`. `heard_at`: of the last message.';

CREATE TABLE chat_messages (
    conversation_id uuid        NOT NULL,
    sequence        bigint      NOT NULL,
    id              uuid        NOT NULL,
    side            text        NOT NULL CHECK (side IN ('visitor', 'agent', 'system')),
    author_id       text        NOT NULL,
    author          text,
    text            text        NOT NULL,
    at              timestamptz NOT NULL,
    PRIMARY KEY (conversation_id, sequence),
    UNIQUE (conversation_id, id)
);
COMMENT ON TABLE chat_messages IS 'What was written, 1, 2, 3 … in each chat. `id` is made by the writer''s browser: the same message sent again is known by it.';

CREATE TABLE chat_tickets (
    conversation_id uuid        NOT NULL,
    ticket_id       uuid        NOT NULL,
    number          bigint      NOT NULL,
    first_sequence  bigint      NOT NULL,
    last_sequence   bigint      NOT NULL,
    made_by         text        NOT NULL,
    made_at         timestamptz NOT NULL,
    PRIMARY KEY (conversation_id, ticket_id)
);
CREATE INDEX chat_tickets_by_ticket ON chat_tickets (ticket_id);
COMMENT ON TABLE chat_tickets IS 'Which stretch of a chat became which ticket.';
