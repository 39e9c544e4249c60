"""Whatever a text holds stands in PostgreSQL as it was said; only NUL, which PostgreSQL does not take, is replaced."""

import random
from datetime import UTC, datetime
from typing import Any

import pytest

from services.query.projections.tables import Table, as_array, as_json
from services.query.projections.timeline import copy_timeline
from shared.database import Transaction
from shared.identifiers import new_id
from shared.messaging.records import Received
from shared.topics import Topic
from tests.integration.query.conftest import Reader
from tests.support.events import opened

pytestmark = pytest.mark.integration

PIECES = ["\\", '"', "'", "\n", "\r", "\t", "\b", "\f", "\x00", "\x01", "\x1f", "\x7f", "n", "t", "u0000",
          "u0001", "x41", ",", "]\n[", "null", "\\.", "\\N", "{", "}", "é", "日", "😀", "\u2028", " ", ""]  # fmt: skip


def texts(count: int) -> list[str]:
    chance = random.Random(7)
    mixed = ["".join(chance.choices(PIECES, k=chance.randint(1, 9))) for _ in range(count)]
    return [*PIECES, *mixed]


def kept(text: str) -> str:
    return text.replace("\x00", "\ufffd")


def test_rows_of_json_values(reader: Reader) -> None:
    said = texts(400)
    at = datetime(2026, 3, 2, 8, 30, 0, 123456, tzinfo=UTC)
    ids = [new_id() for _ in said]
    rows = [
        (one, text, as_array([text, ""]), as_json({"said": text}), at, place / 7, place % 2 == 0, None)
        for place, (one, text) in enumerate(zip(ids, said, strict=True))
    ]  # fmt: skip

    def work(tx: Transaction) -> list[dict[str, Any]]:
        tx.cursor.execute(
            "CREATE TEMP TABLE copied (id uuid, said text, listed text[], held jsonb, at timestamptz,"
            " number double precision, is_even boolean, nothing text) ON COMMIT DROP"
        )
        names = ("id", "said", "listed", "held", "at", "number", "is_even", "nothing")
        Table("copied", names, key=("id",)).copy(tx.cursor, rows)
        return tx.cursor.execute("SELECT * FROM copied").fetchall()

    found = {row.pop("id"): row for row in reader.store.transact(work)}
    assert found == {
        one: {
            "said": kept(text),
            "listed": [kept(text), ""],
            "held": {"said": kept(text)},
            "at": at,
            "number": place / 7,
            "is_even": place % 2 == 0,
            "nothing": None,
        }
        for place, (one, text) in enumerate(zip(ids, said, strict=True))
    }


def test_the_timeline_has_the_published_bytes(reader: Reader) -> None:
    batch = []
    for offset, text in enumerate(texts(200)):
        # Other writers put spaces and line breaks between the members; they are kept.
        event = opened(new_id(), subject=text or "-", body=kept(text) or "-")
        raw = as_json(event).replace(":", " :\n\t", 1).encode()
        batch.append(Received(Topic.TICKETS, 0, offset, event, raw))
    reader.store.transact(lambda tx: copy_timeline(tx.cursor, batch))
    found = {
        row["stream_id"]: row
        for row in reader.rows("SELECT *, raw::text AS published FROM timeline")
    }
    assert len(found) == len(batch)
    for received in batch:
        event, row = received.event, found[received.event.stream_id]
        assert row["published"] == received.raw.decode()
        assert row["changes"]["subject"] == [None, kept(event.subject)]
        assert (row["topic"], row["version"], row["ticket_id"]) == (
            "tickets.v1",
            1,
            event.stream_id,
        )
        assert (row["occurred_at"], row["recorded_at"]) == (event.occurred_at, event.recorded_at)
        assert (row["actor_kind"], row["actor_id"]) == (event.actor.kind.value, event.actor.id)
        assert (row["via"], row["causation_id"]) == (event.via.value, event.causation_id)
