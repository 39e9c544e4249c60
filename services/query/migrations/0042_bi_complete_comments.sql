-- What the views and columns of 0041 mean. As in 0005: a text under '*' holds wherever no nearer one is given, and a
-- column without any stops the migration.
CREATE TEMPORARY TABLE described (view_name text, column_name text, description text) ON COMMIT DROP;
INSERT INTO described VALUES
    ('dim_customer', NULL, 'One row per customer who ever asked, as of now.'),
    ('dim_organisation', NULL, 'One row per customer organisation, as of now.'),
    ('dim_organisation', 'customer_count', 'Distinct customers of it who asked.'),
    ('dim_policy', NULL, 'One row per version of an SLA policy: what was judged by version 3 can be read for ever.'),
    ('dim_policy', 'policy_version_id', 'Unique and stable.'),
    ('dim_policy', 'policy_name', 'The name for people, if it has one.'),
    ('dim_calendar', NULL, 'One row per version of a business calendar.'),
    ('dim_calendar', 'calendar_version_id', 'Unique and stable.'),
    ('dim_calendar', 'calendar_name', 'The name for people, if it has one.'),
    ('dim_calendar', 'time_zone', 'IANA name of the time zone its hours are meant in.'),
    ('dim_calendar', 'tzdata_version', 'Version of the time zone rules it was made with.'),
    ('dim_channel', NULL, 'One row per channel.'),
    ('dim_channel', 'channel_name', 'The name for people.'),
    ('dim_channel', 'is_from_customer', 'Whether customers come in through it.'),
    ('fct_field_change', NULL, 'One row per changed field and event; rows never change (for from-to see ticket_field_history).'),
    ('fct_field_change', 'field_change_id', 'Unique and stable.'),
    ('fct_field_change', 'field_name', 'status, label, priority, type, subject, requester, tags, group, assignee, sla_policy, due.<metric>, fields.<name>.'),
    ('fct_field_change', 'previous_value', 'The value before; null: there was none.'),
    ('fct_field_change', 'value', 'The new value; null: removed.'),
    ('fct_message', NULL, 'One row per message or note, without its text.'),
    ('fct_message', 'message_id', 'Unique and stable (UUID).'),
    ('fct_message', 'message_kind', 'customer, agent (public) or note (internal).'),
    ('fct_message', 'is_automatic', 'Written by a rule or a robot; counts nowhere as an answer.'),
    ('fct_message', 'sent_at', 'When it was written (UTC).'),
    ('fct_message', 'body_chars', 'Length of the text in characters.'),
    ('fct_message', 'channel', 'The way this message went.'),
    ('fct_assignment', 'handle_seconds', 'Of held_seconds, the part in which the ticket was new or open: the agent''s turn.'),
    ('fct_ticket', 'agent_reply_count', 'Public messages of human agents.'),
    ('fct_ticket', 'customer_message_count', 'Messages of the customer, the opening one included.'),
    ('fct_ticket', 'note_count', 'Internal notes.'),
    ('fct_ticket', 'resolution_count', 'How often it was solved.'),
    ('sla_policies', 'sla_remaining_time', 'Minutes of the calendar left, as of the clock''s last event; null when ended.'),
    ('sla_policies', 'sla_elapsed_calendar_minutes', 'Calendar minutes from start to end; null while it has not ended.'),
    ('ticket_metrics', 'requester_wait_time_in_business_minutes', 'Minutes on the requester_wait clocks, as far as they ended; null without such a clock.'),
    ('ticket_metrics', 'agent_work_time_in_business_minutes', 'Minutes on the agent_work clocks, as far as they ended; null without such a clock.'),
    ('ticket_metrics', 'first_assignment_time_calendar_minutes', 'Opening to the first agent.'),
    ('ticket_metrics', 'sla_policy_version', 'Version of the SLA policy that its newest clock was judged by.'),
    ('ticket_metrics', 'priority_applied', 'The priority that set the target of its newest clock.'),
    ('ticket_metrics', 'calendar_id', 'The business calendar of its newest clock; null: around the clock.'),
    ('ticket_metrics', 'calendar_version', 'Version of that calendar.'),
    ('ticket_metrics', 'type', 'Kind of request, free words.'),
    ('fct_agent_day', NULL, 'One row per agent and UTC day with anything to tell: tickets in hand, work done, time online.'),
    ('fct_agent_day', 'agent_day_id', 'Unique and stable.'),
    ('fct_agent_day', 'assigned_count', 'Tickets the agent got that day.'),
    ('fct_agent_day', 'ticket_count', 'Distinct tickets the agent had at any time of the day.'),
    ('fct_agent_day', 'solved_count', 'Tickets the agent solved that day.'),
    ('fct_agent_day', 'reply_count', 'Public messages the agent wrote.'),
    ('fct_agent_day', 'note_count', 'Notes the agent wrote.'),
    ('fct_agent_day', 'held_seconds', 'Seconds of the day that tickets were with the agent, added up over the tickets.'),
    ('fct_agent_day', 'handle_seconds', 'Seconds of the agent''s turn (new, open) on tickets got that day, to their end.'),
    ('fct_agent_day', 'online_seconds', 'Seconds of the day in presence online.'),
    ('*', 'ticket_count', 'Tickets ever opened.'),
    ('*', 'open_ticket_count', 'Of them, those that are open now.'),
    ('*', 'first_ticket_at', 'When the first ticket was opened (UTC).'),
    ('*', 'last_ticket_at', 'When the newest ticket was opened (UTC).'),
    ('*', 'definition_json', 'The whole document as JSON text.'),
    ('*', 'valid_from_at', 'From when this version holds (UTC).'),
    ('*', 'valid_until_at', 'Until when; null: still (UTC).'),
    ('*', 'is_current', 'Still holds.'),
    ('*', 'export_position', 'Grows with the commit of the row''s last change; not dense. Incremental readers: see docs/bi-howto.md.');

DO $$
DECLARE
    item record;
BEGIN
    FOR item IN
        SELECT c.relname, a.attname,
               coalesce(near.description, there.description, far.description,
                        (SELECT col_description(o.oid, oa.attnum) FROM pg_class AS o
                         JOIN pg_attribute AS oa ON oa.attrelid = o.oid AND oa.attname = a.attname
                         WHERE o.relnamespace = 'bi'::regnamespace AND col_description(o.oid, oa.attnum) IS NOT NULL
                         ORDER BY o.relname = 'fct_ticket_event' DESC, o.relname = 'fct_sla_cycle' DESC, o.relname = 'ticket_enriched' DESC, o.relname LIMIT 1)
               ) AS description
        FROM pg_class AS c
        JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
        LEFT JOIN described AS near ON near.view_name = c.relname AND near.column_name = a.attname
        LEFT JOIN LATERAL (SELECT col_description(c.oid, a.attnum) AS description) AS there ON true
        LEFT JOIN described AS far ON far.view_name = '*' AND far.column_name = a.attname
        WHERE c.relnamespace = 'bi'::regnamespace AND c.relkind = 'v'
    LOOP
        IF item.description IS NULL THEN
            RAISE EXCEPTION 'bi.%.% has no description', item.relname, item.attname;
        END IF;
        EXECUTE format('COMMENT ON COLUMN bi.%I.%I IS %L', item.relname, item.attname, item.description);
    END LOOP;
    FOR item IN
        SELECT c.relname, coalesce(d.description, obj_description(c.oid, 'pg_class')) AS description
        FROM pg_class AS c
        LEFT JOIN described AS d ON d.view_name = c.relname AND d.column_name IS NULL
        WHERE c.relnamespace = 'bi'::regnamespace AND c.relkind = 'v'
    LOOP
        IF item.description IS NULL THEN
            RAISE EXCEPTION 'bi.% has no description', item.relname;
        END IF;
        EXECUTE format('COMMENT ON VIEW bi.%I IS %L', item.relname, item.description);
    END LOOP;
END $$;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'bi_reader') THEN
        GRANT SELECT ON ALL TABLES IN SCHEMA bi TO bi_reader;
    END IF;
END $$;
