-- What is open, counted: by group, status, priority, whether somebody has it and how its promises stand; and by agent and
-- status. Boards add up some thousand rows instead of walking past every open ticket. Kept by triggers on `tickets`, in
-- the transaction of whatever changes a ticket: only PostgreSQL sees the row as it was when several processes write
-- different columns of one ticket. A statement writes its net changes, so a change that moves no count costs no write.
CREATE TABLE open_counts (
    shard         smallint NOT NULL,
    is_by_agent   boolean  NOT NULL,
    group_id      text,
    category      text     NOT NULL,
    priority      text,
    is_unassigned boolean,
    is_at_risk    boolean,
    is_breached   boolean,
    assignee_id   text,
    count         bigint   NOT NULL,
    CONSTRAINT open_counts_key UNIQUE NULLS NOT DISTINCT
        (shard, is_by_agent, category, group_id, priority, is_unassigned, is_at_risk, is_breached, assignee_id)
) WITH (fillfactor = 50);

-- A shard belongs to one transaction at a time, so writers never wait for each other's counts; readers add them up.
DO $make$
DECLARE
    item record;
    cells constant text := 'group_id, category, priority, assignee_id IS NULL AS is_unassigned, is_at_risk, is_breached, assignee_id';
    rows_of constant text := 'SELECT ' || cells || ', %s AS change FROM %I WHERE is_open AND version > 0';
    counted constant text := $text$
        SELECT %s, GROUPING(assignee_id) = 0, group_id, category, priority, is_unassigned, is_at_risk, is_breached,
               assignee_id, sum(change)
        FROM (%s) AS changes
        GROUP BY GROUPING SETS ((group_id, category, priority, is_unassigned, is_at_risk, is_breached), (assignee_id, category))
        HAVING sum(change) <> 0 AND (GROUPING(assignee_id) = 1 OR assignee_id IS NOT NULL)
    $text$;
BEGIN
    FOR item IN
        SELECT * FROM (VALUES
            ('insert', 'NEW TABLE AS after_rows', format(rows_of, 1, 'after_rows')),
            ('update', 'OLD TABLE AS before_rows NEW TABLE AS after_rows',
             format(rows_of, -1, 'before_rows') || ' UNION ALL ' || format(rows_of, 1, 'after_rows')),
            ('delete', 'OLD TABLE AS before_rows', format(rows_of, -1, 'before_rows'))
        ) AS one (change, seen, changes)
    LOOP
        -- The counts stand in the schema of the ticket's table: a generation that is being built has its own.
        EXECUTE format($text$
            CREATE FUNCTION %I() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $body$
            DECLARE
                own_shard integer := 0;
            BEGIN
                PERFORM set_config('search_path', quote_ident(TG_TABLE_SCHEMA), true);
                WHILE NOT pg_try_advisory_xact_lock(hashtext('open_counts'), own_shard) LOOP
                    own_shard := own_shard + 1;
                END LOOP;
                INSERT INTO open_counts AS c %s
                ON CONFLICT ON CONSTRAINT open_counts_key DO UPDATE SET count = c.count + EXCLUDED.count;
                RETURN NULL;
            END $body$
        $text$, 'count_open_' || item.change, format(counted, 'own_shard', item.changes));
        EXECUTE format('CREATE TRIGGER %I AFTER %s ON tickets REFERENCING %s FOR EACH STATEMENT EXECUTE FUNCTION %I()',
                       'count_open_' || item.change, item.change, item.seen, 'count_open_' || item.change);
    END LOOP;
    CREATE FUNCTION count_open_truncate() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $body$
    BEGIN
        PERFORM set_config('search_path', quote_ident(TG_TABLE_SCHEMA), true);
        DELETE FROM open_counts;
        RETURN NULL;
    END $body$;
    CREATE TRIGGER count_open_truncate AFTER TRUNCATE ON tickets FOR EACH STATEMENT EXECUTE FUNCTION count_open_truncate();
    EXECUTE 'INSERT INTO open_counts ' || format(counted, '0', format(rows_of, 1, 'tickets'));
END $make$;
