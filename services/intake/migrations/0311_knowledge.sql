-- The knowledge base. The articles themselves are documents of `configuration` (kind article); here is what finds them.
CREATE TABLE articles (
    name              text PRIMARY KEY,
    title             text      NOT NULL,
    language          text      NOT NULL,
    dictionary        regconfig NOT NULL,
    audience          text      NOT NULL,
    status            text      NOT NULL,
    tags              text[]    NOT NULL,
    words             tsvector  NOT NULL,
    changed_at        timestamptz NOT NULL,
    helpful_count     integer   NOT NULL DEFAULT 0,
    not_helpful_count integer   NOT NULL DEFAULT 0,
    judged_version    bigint    NOT NULL DEFAULT 0
);
CREATE INDEX articles_words ON articles USING gin (words);
CREATE INDEX articles_dictionaries ON articles (dictionary) WHERE status = 'published';
COMMENT ON TABLE articles IS 'What articles are found by, and how they are received. Written with each version of the document; a row goes with the article, its judgements stay in the events.';

CREATE TABLE article_judgements (
    name       text    NOT NULL,
    reader     text    NOT NULL,
    is_helpful boolean NOT NULL,
    PRIMARY KEY (name, reader)
);
COMMENT ON TABLE article_judgements IS 'The last word of each reader: a customer''s id, or a keyed hash of the network address.';

CREATE TABLE prepared_uses (
    kind         text        NOT NULL,
    name         text        NOT NULL,
    count        bigint      NOT NULL,
    last_used_at timestamptz NOT NULL,
    PRIMARY KEY (kind, name)
);
COMMENT ON TABLE prepared_uses IS 'How many replies named a prepared text (answer) or an article.';
