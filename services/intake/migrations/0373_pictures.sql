-- Pictures of articles. The bytes lie in the store of attachments, by their hash.
CREATE TABLE pictures (
    sha256       text        PRIMARY KEY,
    content_type text        NOT NULL,
    size         bigint      NOT NULL,
    uploaded_by  text        NOT NULL,
    recorded_at  timestamptz NOT NULL
);
CREATE TABLE article_pictures (
    name   text NOT NULL,
    sha256 text NOT NULL,
    PRIMARY KEY (name, sha256)
);
CREATE INDEX article_pictures_by_picture ON article_pictures (sha256);
COMMENT ON TABLE article_pictures IS 'Which pictures the newest version of an article shows: whoever may read it may see them.';
