"""Which file belongs to which ticket: rows written in the transaction of the event that names the files."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import msgspec

from shared.database import Transaction
from shared.errors import Invalid
from shared.events import Event
from shared.events.messages import AttachedFile
from shared.events.tickets import MessageRecorded, NoteAdded
from shared.eventstore import EventStore

_UPLOAD_LIVES: Final = timedelta(days=1)
_COLUMNS: Final = (
    "id, message_id, name, content_type, size, sha256, is_internal, is_original, recorded_at"
)


class Shelved(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a ticket."""

    id: UUID
    message_id: UUID
    name: str
    content_type: str
    size: int
    sha256: str
    is_internal: bool
    is_original: bool
    recorded_at: Any


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """A file that waits for its message."""

    id: UUID
    name: str
    content_type: str
    size: int
    sha256: str


def note(tx: Transaction, event: Event) -> None:
    """Write down the files that the event names. No statement for events that name none."""
    files: Sequence[AttachedFile] = getattr(event, "attachments", ())
    kept = [one for one in files if one.withheld is None]
    if not kept:
        return
    is_internal = isinstance(event, NoteAdded | MessageRecorded)
    message_id: UUID = event.message_id  # type: ignore[attr-defined]  # whatever has files is a message
    tx.cursor.executemany(
        "INSERT INTO attachments (ticket_id, id, message_id, name, content_type, size, sha256,"
        " is_internal, is_original, recorded_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            (
                event.stream_id, one.id, message_id, one.name, one.content_type, one.size,
                one.sha256, is_internal or one.is_original, one.is_original, tx.now,
            )
            for one in kept
        ],
    )  # fmt: skip


async def files_of(store: EventStore[Any], ticket_id: UUID) -> list[Shelved]:
    """All files of a ticket, oldest first."""
    return await _read(store, "ticket_id = %s ORDER BY recorded_at, id", (ticket_id,))


async def file_of(store: EventStore[Any], ticket_id: UUID, attachment_id: UUID) -> Shelved | None:
    """One file."""
    found = await _read(store, "ticket_id = %s AND id = %s", (ticket_id, attachment_id))
    return found[0] if found else None


async def keep_upload(store: EventStore[Any], upload: Upload, owner_id: str) -> None:
    """Remember a file until its message comes, and forget those whose message never came."""
    pool = await store.pool()
    async with pool.connection() as connection:
        await connection.execute(
            "WITH old AS (DELETE FROM uploads WHERE recorded_at < now() - %s)"
            " INSERT INTO uploads (id, owner_id, name, content_type, size, sha256, recorded_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, now())",
            (
                _UPLOAD_LIVES, upload.id, owner_id, upload.name, upload.content_type,
                upload.size, upload.sha256,
            ),
        )  # fmt: skip


async def known(
    store: EventStore[Any],
    ids: Sequence[UUID],
    owner_id: str,
    *,
    has_prepared: bool,
    field: str = "attachments",
) -> tuple[Upload, ...]:
    """The caller's uploads, each once, in this order; `has_prepared`: also the files of prepared texts.

    Raises:
        Invalid: one is not known, was forgotten, or is somebody else's; `field` names the list.
    """
    if not ids:
        return ()
    pool = await store.pool()
    async with pool.connection() as connection:
        found = await connection.execute(
            "SELECT id, name, content_type, size, sha256 FROM uploads"
            " WHERE id = ANY(%(ids)s) AND owner_id = %(owner)s"
            " UNION ALL SELECT (f ->> 'id')::uuid, f ->> 'name', f ->> 'content_type',"
            "   (f ->> 'size')::bigint, f ->> 'sha256'"
            " FROM configuration, jsonb_array_elements(definition -> 'files') AS f"
            " WHERE %(prepared)s AND kind = 'answer' AND (f ->> 'id')::uuid = ANY(%(ids)s)",
            {"ids": list(ids), "owner": owner_id, "prepared": has_prepared},
        )
        files = {row["id"]: Upload(**row) async for row in found}
    for place, one in enumerate(ids):
        if one not in files:
            raise Invalid.of(
                f"{field}[{place}]", "is no file that you have uploaded within the last day"
            )
    return tuple(files[one] for one in dict.fromkeys(ids))


async def _read(store: EventStore[Any], condition: str, values: tuple[Any, ...]) -> list[Shelved]:
    pool = await store.pool()
    async with pool.connection() as connection:
        found = await connection.execute(
            f"SELECT {_COLUMNS} FROM attachments WHERE {condition}",  # noqa: S608  # both from this file
            values,
        )
        return [Shelved(**row) async for row in found]
