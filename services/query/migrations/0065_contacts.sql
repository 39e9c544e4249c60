-- Known persons with all their addresses, and organisations, from contacts.v1.

CREATE TABLE contacts (
    contact_id      uuid        PRIMARY KEY,
    version         bigint      NOT NULL,
    name            text,
    organization_id text,
    tier            text,
    definition      jsonb       NOT NULL,
    merged_into     uuid,
    document        tsvector    NOT NULL,
    changed_at      timestamptz NOT NULL
);
CREATE INDEX contacts_words ON contacts USING gin (document);
CREATE INDEX contacts_of_organization ON contacts (organization_id) WHERE merged_into IS NULL;
CREATE INDEX contacts_merged ON contacts (merged_into) WHERE merged_into IS NOT NULL;

-- Each contact's stream owns its rows; while two streams of a merge arrive one after the other, an address may have two owners.
CREATE TABLE contact_identities (
    identity   text NOT NULL,
    contact_id uuid NOT NULL,
    PRIMARY KEY (identity, contact_id)
);
CREATE INDEX contact_identities_by_contact ON contact_identities (contact_id);

CREATE TABLE organizations (
    organization_id text        PRIMARY KEY,
    version         bigint      NOT NULL,
    name            text        NOT NULL,
    tier            text,
    definition      jsonb       NOT NULL,
    changed_at      timestamptz NOT NULL
);

-- Tickets keep the id their requester came with; whoever asks for a person's tickets asks with all ids of the person.
CREATE FUNCTION ids_of_person(ids text[]) RETURNS text[] LANGUAGE sql STABLE AS $$
    SELECT array(
        SELECT unnest(ids)
        UNION
        SELECT other.identity FROM contact_identities AS mine
        JOIN contact_identities AS other USING (contact_id) WHERE mine.identity = ANY (ids)
    )
$$;
