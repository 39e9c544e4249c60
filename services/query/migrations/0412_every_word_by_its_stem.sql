-- Texts are kept by the stems of their language alone, and by those of small words too ("out of order" can be found as
-- it stands). The words as written beside them were half of every document, of its index and of the work of reading.
-- Documents that have both are found as before; the next rebuild leaves one.
DO $$
DECLARE
    known record;
    part record;
BEGIN
    FOR known IN
        SELECT d.dictname, (regexp_match(d.dictinitoption, 'language\s*=\s*''(\w+)'''))[1] AS language
        FROM pg_ts_dict AS d JOIN pg_ts_template AS t ON t.oid = d.dicttemplate
        WHERE t.tmplname = 'snowball' AND d.dictnamespace = 'pg_catalog'::regnamespace
    LOOP
        EXECUTE format(
            'CREATE TEXT SEARCH DICTIONARY %I (TEMPLATE = pg_catalog.snowball, Language = %L)',
            known.language || '_every_stem', known.language
        );
    END LOOP;
    FOR known IN
        SELECT cfgname FROM pg_ts_config WHERE cfgnamespace = 'pg_catalog'::regnamespace AND cfgname <> 'simple'
    LOOP
        EXECUTE format('CREATE TEXT SEARCH CONFIGURATION %I (COPY = pg_catalog.%I)', known.cfgname || '_words', known.cfgname);
        FOR part IN
            SELECT DISTINCT d.dictname FROM pg_ts_config AS c
            JOIN pg_ts_config_map AS m ON m.mapcfg = c.oid JOIN pg_ts_dict AS d ON d.oid = m.mapdict
            JOIN pg_ts_template AS t ON t.oid = d.dicttemplate
            WHERE c.cfgnamespace = 'pg_catalog'::regnamespace AND c.cfgname = known.cfgname AND t.tmplname = 'snowball'
        LOOP
            EXECUTE format(
                'ALTER TEXT SEARCH CONFIGURATION %I ALTER MAPPING REPLACE pg_catalog.%I WITH %I',
                known.cfgname || '_words', part.dictname, regexp_replace(part.dictname, '_stem$', '_every_stem')
            );
        END LOOP;
    END LOOP;
END
$$;
