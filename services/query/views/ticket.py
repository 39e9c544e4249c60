"""One ticket: its present state, its figures, its conversation."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import UUID

from psycopg.sql import SQL

from services.query.views import delivery
from services.query.views.lists import INTERNAL_COLUMNS, PUBLIC_COLUMNS
from services.query.views.pools import Pool
from services.query.views.scope import Scope
from shared.errors import Invalid, NotFound
from shared.events import ActorKind
from shared.events.messages import PICTURES

MESSAGES_MAX: Final = 1_000
"""The newest ones of a conversation; a ticket with more is a mailing loop. `messages_total` says how many there are."""

PREVIEW_BYTES_MAX: Final = 5_000_000
"""A larger picture is fetched when somebody wants it, not with the page."""

_NUMBER_MAX: Final = 2**63 - 1
_FIGURES: Final[LiteralString] = """,
    to_jsonb(f) - 'ticket_id' AS figures, t.resolution_summary, t.resolution_code,
    t.resolved_at AS last_resolved_at, t.first_resolved_at, t.first_assigned_at,
    t.assignment_count, t.group_change_count, t.satisfaction
"""

_SURVEY: Final[LiteralString] = """,
    (SELECT jsonb_build_object('score', s -> 'score', 'comment', s -> 'comment', 'reason', s -> 'reason',
            'resolution_count', s -> 'resolution_count', 'expires_at', s -> 'expires_at',
            'is_open', (s ->> 'expires_at')::timestamptz > now(),
            'reasons', coalesce((SELECT c.definition -> 'reasons' FROM configuration AS c
                WHERE c.kind = 'survey' AND c.name = s ->> 'policy_group'), '[]'))
     FROM (SELECT t.satisfaction -> 'surveys' -> -1 AS s) AS newest
     WHERE t.satisfaction IS NOT NULL) AS survey
"""
"""The newest question what the customer thinks of a solution, with the answer and the reasons to pick from."""

_PUBLIC_FIELDS: Final[LiteralString] = """,
    (SELECT jsonb_object_agg(f.key, jsonb_build_object('label', c.definition ->> 'label', 'value', f.value))
     FROM jsonb_each(t.fields) AS f JOIN configuration AS c ON c.kind = 'field' AND c.name = f.key
     WHERE (c.definition ->> 'visible_to_customer')::boolean) AS customer_fields
"""
"""Custom fields that their definition shows to customers."""


def parse_reference(text: str) -> UUID | int:
    """A ticket's id or its number for people (`4711` or `#4711`).

    Raises:
        Invalid: it is neither.
    """
    digits = text.removeprefix("#")
    if digits.isascii() and digits.isdigit() and int(digits[:20]) <= _NUMBER_MAX:
        return int(digits[:20])
    try:
        return UUID(text)
    except ValueError:
        raise Invalid.of("ticket_id", "is neither a UUID nor a ticket number") from None


async def find_ticket(pool: Pool, reference: UUID | int, scope: Scope) -> dict[str, Any]:
    """The ticket without its conversation.

    Raises:
        NotFound: there is none, or it is another customer's.
    """
    by = SQL("t.number") if isinstance(reference, int) else SQL("t.ticket_id")
    public: LiteralString = PUBLIC_COLUMNS + _PUBLIC_FIELDS + _SURVEY
    internal: LiteralString = INTERNAL_COLUMNS + _FIGURES if scope.sees_internal else ""
    statement = SQL(
        "SELECT {columns} FROM tickets AS t LEFT JOIN ticket_figures AS f USING (ticket_id)"
        " WHERE t.version > 0 AND {by} = %(reference)s"
        " AND (%(requester)s::text[] IS NULL"
        " OR (t.requester_id = ANY(ids_of_person(%(requester)s)) AND NOT t.is_internal))"
    ).format(columns=SQL(public + internal), by=by)
    async with pool.connection() as connection:
        found = await connection.execute(
            statement, {"reference": reference, "requester": scope.ids}
        )
        row = await found.fetchone()
    if row is None:
        raise NotFound(f"there is no ticket {reference}")
    return row


async def linked_tickets(
    pool: Pool, links: Sequence[Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """The tickets that these links lead to, by id: number, subject, status. For people who work here."""
    if not links:
        return {}
    async with pool.connection() as connection:
        found = await connection.execute(
            "SELECT ticket_id, number, subject, category AS status FROM tickets WHERE ticket_id = ANY(%s)",
            ([UUID(link["ticket_id"]) for link in links],),
        )
        return {str(row["ticket_id"]): row for row in await found.fetchall()}


async def conversation(
    pool: Pool, ticket_id: UUID, scope: Scope, *, until: datetime | None = None
) -> dict[str, Any]:
    """The messages, oldest first; notes only for those who may read them. The ticket must be in scope already.

    `until`: the messages that there were by then, each with what had become of it on its way.
    """
    async with pool.connection() as connection:
        found = await connection.execute(
            "SELECT message_id, version, kind, is_automatic, body, sent_at, author_kind, author_id,"
            " author_name, via AS channel, quotes, courtesy, copied,"
            " (SELECT into_number FROM split_messages AS s WHERE s.message_id = m.message_id) AS split_into,"
            " count(*) OVER () AS total,"
            " (SELECT json_build_object('files', raw->'attachments', 'outsider', raw->'is_third_party',"
            "    'leaves_by', raw->'leaves_by', 'sources', raw->'sources')"
            "  FROM timeline AS t WHERE t.stream_id = m.ticket_id AND t.topic = 'tickets.v1'"
            "  AND t.version = m.version) AS said"
            " FROM messages AS m"
            " WHERE ticket_id = %(ticket)s AND (kind <> 'note' OR %(sees_notes)s)"
            " AND (%(until)s::timestamptz IS NULL OR EXISTS (SELECT FROM timeline AS t"
            "  WHERE t.stream_id = m.ticket_id AND t.topic = 'tickets.v1' AND t.version = m.version"
            "  AND t.occurred_at <= %(until)s))"
            " ORDER BY version DESC LIMIT %(limit)s",
            {
                "ticket": ticket_id,
                "sees_notes": scope.sees_internal,
                "until": until,
                "limit": MESSAGES_MAX,
            },
        )
        rows = await found.fetchall()
        deliveries = (
            await delivery.read(connection, ticket_id, until=until) if scope.sees_internal else {}
        )
    total = rows[0]["total"] if rows else 0
    for row in rows:
        del row["total"]
        said = row.pop("said") or {}
        row["attachments"] = _files(ticket_id, said.get("files") or (), scope)
        row["is_third_party"] = bool(said.get("outsider"))
        if scope.sees_internal:
            row["sources"] = said.get("sources") or []
            row["delivery"] = delivery.told(
                deliveries.get(row["message_id"]), said.get("leaves_by")
            )
        else:
            del row["courtesy"], row["copied"], row["split_into"]
            if (
                row["author_kind"] == ActorKind.SYSTEM
            ):  # which rule wrote it is no customer's business
                row["author_id"], row["author_name"] = ActorKind.SYSTEM, None
    return {"messages": rows[::-1], "messages_total": total}


def _files(ticket_id: UUID, files: Sequence[dict[str, Any]], scope: Scope) -> list[dict[str, Any]]:
    """The files of a message with the address of each; the original mail only for those who see internal facts."""
    return [
        {
            "attachment_id": file["id"],
            "name": file["name"],
            "content_type": file["content_type"],
            "size": file["size"],
            "is_inline": file.get("is_inline", False),
            "is_original": file.get("is_original", False),
            "is_shown": file["content_type"] in PICTURES and file["size"] <= PREVIEW_BYTES_MAX,
            "withheld": file.get("withheld"),
            "url": None
            if file.get("withheld")
            else f"/v1/tickets/{ticket_id}/attachments/{file['id']}",
        }
        for file in files
        if scope.sees_internal or not file.get("is_original")
    ]
