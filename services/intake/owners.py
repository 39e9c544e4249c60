"""Who has a ticket, as routing last told us: the life policy of its group is asked for, and follow-ups go there."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

import msgspec

from shared.database import Transaction


class Owner(msgspec.Struct, frozen=True):
    """The group and the agent of a ticket; `None`: nobody, or we have not heard."""

    group_id: str | None = None
    agent_id: str | None = None


NOBODY: Final = Owner()


def owner_of(tx: Transaction, ticket_id: UUID) -> Owner:
    """Who has it. One look-up by primary key, asked when a ticket is solved or a late reply comes."""
    tx.cursor.execute(
        "SELECT group_id, agent_id FROM ticket_owners WHERE ticket_id = %s", (ticket_id,)
    )
    row = tx.cursor.fetchone()
    return NOBODY if row is None else Owner(row["group_id"], row["agent_id"])


def note_owners(tx: Transaction, owners: Mapping[UUID, Owner]) -> None:
    """Remember who has these now, in one statement."""
    if owners:
        ids = sorted(owners)
        tx.cursor.execute(
            "INSERT INTO ticket_owners (ticket_id, group_id, agent_id)"
            " SELECT * FROM unnest(%s::uuid[], %s::text[], %s::text[])"
            " ON CONFLICT (ticket_id) DO UPDATE"
            " SET group_id = excluded.group_id, agent_id = excluded.agent_id",
            (ids, [owners[one].group_id for one in ids], [owners[one].agent_id for one in ids]),
        )


def owners_of(tx: Transaction, ticket_ids: list[UUID]) -> dict[UUID, Owner]:
    """Who has these, as far as we have heard."""
    tx.cursor.execute(
        "SELECT ticket_id, group_id, agent_id FROM ticket_owners WHERE ticket_id = ANY(%s)",
        (ticket_ids,),
    )
    return {
        row["ticket_id"]: Owner(row["group_id"], row["agent_id"]) for row in tx.cursor.fetchall()
    }
