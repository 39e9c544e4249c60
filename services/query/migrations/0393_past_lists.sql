-- Lists of the past: which tickets' tags, fields or type changed after an instant, so that what they say now is not what
-- they said then. Only such events have an entry.
CREATE INDEX timeline_facets ON timeline (occurred_at) INCLUDE (stream_id)
    WHERE type IN ('ticket.tags_changed.v1', 'ticket.fields_changed.v1', 'ticket.type_changed.v1');

-- And which persons ever had an address. The names are those of `Contact.identities`.
CREATE FUNCTION contact_ids(raw json) RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
    SELECT array(
        SELECT json_array_elements_text(raw -> 'contact' -> 'logins')
        UNION ALL SELECT 'mailto:' || email FROM json_array_elements_text(raw -> 'contact' -> 'emails') AS email
        UNION ALL SELECT 'tel:' || phone FROM json_array_elements_text(raw -> 'contact' -> 'phones') AS phone
        UNION ALL SELECT json_array_elements_text(raw -> 'contact' -> 'messengers')
    )
$$;
CREATE INDEX timeline_contacts ON timeline USING gin (contact_ids(raw)) WHERE topic = 'contacts.v1';
