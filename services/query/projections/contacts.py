"""Events about persons and organisations → their tables. Rare, so each is written by itself."""

import re
from datetime import datetime
from typing import Final
from uuid import UUID

import psycopg
from psycopg.rows import DictRow

from services.query.projections.tables import as_json
from shared.events import Event
from shared.events.contacts import (
    Contact,
    ContactDefined,
    ContactMerged,
    ContactMergeReceived,
    ContactMergeUndone,
    ContactUnmerged,
    OrganizationDefined,
)

_BETWEEN_WORDS: Final = re.compile(r"[\W_]+")

_CONTACT: Final = """
INSERT INTO contacts (contact_id, version, name, organization_id, tier, definition, merged_into, document, changed_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, to_tsvector('simple', %s), %s)
ON CONFLICT (contact_id) DO UPDATE SET version = EXCLUDED.version, name = EXCLUDED.name,
    organization_id = EXCLUDED.organization_id, tier = EXCLUDED.tier, definition = EXCLUDED.definition,
    merged_into = EXCLUDED.merged_into, document = EXCLUDED.document, changed_at = EXCLUDED.changed_at
"""
_ORGANIZATION: Final = """
INSERT INTO organizations (organization_id, version, name, tier, definition, changed_at)
VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (organization_id) DO UPDATE SET version = EXCLUDED.version, name = EXCLUDED.name,
    tier = EXCLUDED.tier, definition = EXCLUDED.definition, changed_at = EXCLUDED.changed_at
"""


def write_contact(cursor: psycopg.Cursor[DictRow], event: Event) -> None:
    """Apply one event; other kinds are passed over."""
    match event:
        case ContactDefined() | ContactMergeReceived() | ContactUnmerged() | ContactMergeUndone():
            _write(cursor, event.contact_id, event.version, event.contact, None, event.occurred_at)
        case ContactMerged():
            _write(
                cursor,
                event.contact_id,
                event.version,
                event.contact,
                event.into_contact_id,
                event.occurred_at,
            )
        case OrganizationDefined(organization=organization):
            said = (organization.name, organization.tier, as_json(organization))
            cursor.execute(
                _ORGANIZATION, (event.organization_id, event.version, *said, event.occurred_at)
            )
        case _:
            pass


def _write(
    cursor: psycopg.Cursor[DictRow],
    contact_id: UUID,
    version: int,
    contact: Contact,
    merged_into: UUID | None,
    at: datetime,
) -> None:
    cursor.execute(
        _CONTACT,
        (
            contact_id,
            version,
            contact.name,
            contact.organization,
            contact.tier,
            as_json(contact),
            merged_into,
            _words(contact),
            at,
        ),
    )
    cursor.execute("DELETE FROM contact_identities WHERE contact_id = %s", (contact_id,))
    if merged_into is None:
        cursor.execute(
            "INSERT INTO contact_identities (identity, contact_id) SELECT unnest(%s::text[]), %s",
            (list(contact.identities), contact_id),
        )


def _words(contact: Contact) -> str:
    """Everything by which somebody would look for the person; addresses also in pieces."""
    said = [contact.name or "", contact.organization or "", *contact.identities]
    return _BETWEEN_WORDS.sub(" ", " ".join(said))
