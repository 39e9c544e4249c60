-- What changed after what, in the order of commits: every exported row carries the number of the transaction that
-- changed it last. A reader takes rows below the oldest transaction that is still running, so nobody who commits late
-- is ever passed by. The number costs the writers no statement: a default where rows are added, a trigger where they
-- are changed.
CREATE FUNCTION stamp_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.change_tx := pg_current_xact_id()::text::bigint;
    RETURN NEW;
END $$;

-- What is gone: the export tells it like a change. `source` is the table, `key` the exported row's key as text.
CREATE TABLE tombstones (
    source     text        NOT NULL,
    key        text        NOT NULL,
    change_tx  bigint      NOT NULL DEFAULT (pg_current_xact_id()::text::bigint),
    deleted_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (source, key)
);
CREATE INDEX tombstones_change ON tombstones (source, change_tx);

CREATE FUNCTION note_deletion() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    gone jsonb := to_jsonb(OLD);
    said text;
BEGIN
    SELECT string_agg(gone ->> name, ':' ORDER BY place) INTO said FROM unnest(TG_ARGV) WITH ORDINALITY AS a (name, place);
    INSERT INTO tombstones AS t (source, key) VALUES (TG_TABLE_NAME, said)
    ON CONFLICT (source, key) DO UPDATE SET change_tx = EXCLUDED.change_tx, deleted_at = EXCLUDED.deleted_at;
    RETURN NULL;
END $$;

DO $$
DECLARE
    item record;
BEGIN
    FOR item IN
        SELECT * FROM (VALUES
            ('tickets', '''ticket_id'''),
            ('assignments', '''ticket_id'', ''version'''),
            ('sla_cycles', '''ticket_id'', ''metric'', ''cycle'''),
            ('timeline', '''stream_id'', ''topic'', ''version'''),
            ('messages', '''message_id'''),
            ('agents', '''agent_id'''),
            ('groups', '''group_id''')
        ) AS tracked (name, key)
    LOOP
        EXECUTE format('ALTER TABLE %I ADD COLUMN change_tx bigint NOT NULL DEFAULT (pg_current_xact_id()::text::bigint)', item.name);
        EXECUTE format('CREATE INDEX %I ON %I (change_tx)', item.name || '_change_tx', item.name);
        EXECUTE format('CREATE TRIGGER stamp_change BEFORE UPDATE ON %I FOR EACH ROW EXECUTE FUNCTION stamp_change()', item.name);
        EXECUTE format('CREATE TRIGGER note_deletion AFTER DELETE ON %I FOR EACH ROW EXECUTE FUNCTION note_deletion(%s)', item.name, item.key);
    END LOOP;
END $$;

-- What signs the cursors of this database; made with the first one. A database that is made anew has another one, and
-- refuses cursors of the old.
CREATE TABLE export_seal (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    secret  text        NOT NULL DEFAULT gen_random_uuid()::text || gen_random_uuid()::text,
    made_at timestamptz NOT NULL DEFAULT now()
);
