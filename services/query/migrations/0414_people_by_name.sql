-- People are looked for while one types: of a first letter the first by name are read, where all were sorted.
CREATE INDEX contacts_by_name ON contacts (name, contact_id) WHERE merged_into IS NULL;
