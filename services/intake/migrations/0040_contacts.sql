-- Persons on the customer's side, by every address they write from. Written in the transaction of the event.

CREATE TABLE contacts (
    contact_id  uuid   PRIMARY KEY,
    version     bigint NOT NULL,
    definition  jsonb  NOT NULL,
    merged_into uuid
);
CREATE INDEX contacts_merged ON contacts (merged_into) WHERE merged_into IS NOT NULL;
COMMENT ON TABLE contacts IS 'Known persons. One that was merged keeps what it was, for the undo; its addresses belong to the other.';

CREATE TABLE contact_identities (
    identity   text PRIMARY KEY,
    contact_id uuid NOT NULL
);
CREATE INDEX contact_identities_by_contact ON contact_identities (contact_id);
COMMENT ON TABLE contact_identities IS 'Logins, mailto:, tel: and messenger ids: each belongs to one person.';

CREATE TABLE organizations (
    organization_id text   PRIMARY KEY,
    version         bigint NOT NULL,
    definition      jsonb  NOT NULL
);

CREATE TABLE organization_domains (
    domain          text PRIMARY KEY,
    organization_id text NOT NULL
);
CREATE INDEX organization_domains_by_organization ON organization_domains (organization_id);
COMMENT ON TABLE organization_domains IS 'Mail domains: who writes from one and is not a contact belongs to the organisation.';
