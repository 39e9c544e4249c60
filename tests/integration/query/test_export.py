"""The incremental export: every committed change once, in commit order, whoever writes at the same time."""

import csv
import io
import json
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from services.query.projections import Projections
from services.query.views.export import ENTITIES
from shared.database import Transaction
from shared.events import Priority
from shared.events.agents import AgentDefined, AgentProfile, GroupDefined, GroupProfile
from shared.events.tickets import Person
from shared.security import Role
from tests.integration.query.conftest import Reader
from tests.integration.query.random_lives import random_life
from tests.integration.query.stories import Story, feed, received
from tests.support.database import Database
from tests.support.events import ANNA, stamp
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

WRITERS = 4


def of_partition(partition: int, number: int, make: Callable[[int], Story]) -> Story:
    """One partition has one writer at a time: two writers never meet on the freshness of one."""
    while (story := make(number)).ticket_id.int % WRITERS != partition:
        pass
    return story


async def ask(reader: Reader, entity: str = "fct_ticket", **said: Any) -> httpx2.Response:
    return await reader.get(f"/v1/export/{entity}", role=Role.SERVICE, **said)


async def page(
    reader: Reader, entity: str = "fct_ticket", **said: Any
) -> tuple[list[dict[str, Any]], str, bool]:
    answer = await ask(reader, entity, **said)
    assert answer.status_code == 200, answer.text
    rows = [json.loads(line) for line in answer.text.splitlines()]
    return rows, answer.headers["x-next-cursor"], answer.headers["x-end-of-stream"] == "true"


async def pages(reader: Reader, entity: str, **said: Any) -> AsyncIterator[list[dict[str, Any]]]:
    """All pages there are now; on a shared server a stranger's transaction may hold some rows back for a moment."""
    is_end = False
    while not is_end:
        rows, said["cursor"], is_end = await page(reader, entity, **said)
        yield rows


async def is_nothing_withheld(reader: Reader, entity: str) -> bool:
    return (await ask(reader, entity, limit=1)).headers["x-withheld-rows"] == "0"


async def settled(reader: Reader, entity: str = "fct_ticket") -> None:
    """What came last settles last: rows of another entity may have come in a later transaction."""
    await eventually(
        lambda: is_nothing_withheld(reader, entity), what="older transactions of the server to end"
    )


@pytest.mark.parametrize("entity", ENTITIES)
async def test_every_entity_tells_what_its_view_says(reader: Reader, entity: str) -> None:
    reader.feed(*(random_life(number, number) for number in range(1, 30)))
    reader.feed_events(
        [
            GroupDefined(
                **stamp(1, actor=ANNA), group_id="desk", profile=GroupProfile(name="Desk")
            ),
            AgentDefined(
                **stamp(1, actor=ANNA), agent_id="anna", profile=AgentProfile(name="Anna")
            ),
        ]
    )
    await settled(reader, entity)
    told = [row async for rows in pages(reader, entity, limit=7) for row in rows]
    key = ENTITIES[entity].key
    (there,) = reader.rows(
        f"SELECT count(*) AS count, count(DISTINCT {key}) AS keys FROM bi.{entity}"
    )
    assert there["count"] == there["keys"] == len(told) == len({row[key] for row in told}) > 0
    columns = {
        row["attname"]
        for row in reader.rows(
            "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0",
            f"bi.{entity}",
        )
    }
    assert told[0].keys() == columns | {"_deleted"}
    positions = [row["export_position"] for row in told]
    assert positions == sorted(positions)


async def test_a_late_commit_of_an_early_transaction_is_not_lost(reader: Reader) -> None:
    early, late = of_partition(0, 1, Story).opened(), of_partition(1, 2, Story).opened()
    began, may_commit = threading.Event(), threading.Event()

    def slow(tx: Transaction) -> None:
        Projections()(tx, received(early.events))
        began.set()
        assert may_commit.wait(20)

    with ThreadPoolExecutor(1) as pool:
        slowly = pool.submit(reader.store.transact, slow)
        try:
            assert began.wait(20)
            reader.feed(late)
            answer = await ask(reader)
            assert answer.text == "", (
                "it has the greater number: told now, the other would be passed by"
            )
            assert answer.headers["x-withheld-rows"] == "1"
        finally:
            may_commit.set()
        slowly.result(20)
    await settled(reader)
    rows, _, is_end = await page(reader, cursor=answer.headers["x-next-cursor"])
    assert [row["ticket_number"] for row in rows] == [1, 2]
    assert is_end


async def test_what_was_rolled_back_is_never_told_and_holds_nothing_back(reader: Reader) -> None:
    never, kept = of_partition(0, 1, Story).opened(), of_partition(1, 2, Story).opened()

    class ServerDied(Exception):
        pass

    def dies(tx: Transaction) -> None:
        Projections()(tx, received(never.events))
        raise ServerDied

    with pytest.raises(ServerDied):
        reader.store.transact(dies)
    reader.feed(kept)
    await settled(reader)
    rows, cursor, is_end = await page(reader)
    assert ([row["ticket_number"] for row in rows], is_end) == ([2], True)
    reader.feed(never)
    await settled(reader)
    rows, _, _ = await page(reader, cursor=cursor)
    assert [row["ticket_number"] for row in rows] == [1]


async def test_concurrent_writers_lose_and_repeat_nothing(reader: Reader) -> None:
    """Four projectors as of four partitions, in many small transactions, while a reader follows page by page."""
    lives = [
        [of_partition(w, w * 1000 + n, lambda n: random_life(n, n)) for n in range(25)]
        for w in range(WRITERS)
    ]
    seen: list[dict[str, Any]] = []
    with ThreadPoolExecutor(WRITERS) as pool:
        writing = [
            pool.submit(
                feed, reader.store, Projections(), [e for s in mine for e in s.events], batch=3
            )
            for mine in lives
        ]
        cursor: dict[str, str] = {}
        while not all(one.done() for one in writing):
            rows, cursor["cursor"], _ = await page(reader, limit=5, **cursor)
            seen += rows
        for one in writing:
            one.result()
    await settled(reader)
    seen += [row async for rows in pages(reader, "fct_ticket", limit=5, **cursor) for row in rows]
    told = [(row["ticket_id"], row["export_position"]) for row in seen]
    assert len(told) == len(set(told)), "the same state of a row twice"
    last = {row["ticket_id"]: row for row in seen}
    now = {
        row["ticket_id"]: row
        for row in json.loads(
            reader.rows(
                "SELECT json_agg(t ORDER BY ticket_id)::text AS all FROM bi.fct_ticket AS t"
            )[0]["all"]
        )
    }
    assert len(now) == WRITERS * 25
    assert last.keys() == now.keys()
    for ticket_id, row in now.items():
        assert last[ticket_id]["export_position"] == row["export_position"]
        assert last[ticket_id]["status"] == row["status"]
        assert last[ticket_id]["reopen_count"] == row["reopen_count"]
    positions = [row["export_position"] for row in seen]
    assert positions == sorted(positions)


async def test_a_deleted_row_leaves_a_tombstone(reader: Reader) -> None:
    one, two = Story(1).opened(), Story(2).opened()
    reader.feed(one, two)
    await settled(reader)
    _, cursor, _ = await page(reader)
    reader.rows("DELETE FROM tickets WHERE number = 1 RETURNING number")
    reader.feed_events(two.prioritise(1, Priority.HIGH).events[-1:])
    await settled(reader)
    rows, _, _ = await page(reader, cursor=cursor)
    assert [(row["ticket_id"], row["_deleted"], row["priority"]) for row in rows] == [
        (str(one.ticket_id), True, None),
        (str(two.ticket_id), False, "high"),
    ]


async def test_all_formats_say_the_same(reader: Reader) -> None:
    reader.feed(*(random_life(number, number) for number in range(1, 20)))
    await settled(reader)
    lines, _, _ = await page(reader)
    as_csv = list(csv.DictReader(io.StringIO((await ask(reader, format="csv")).text)))
    arrow = pa.ipc.open_stream((await ask(reader, format="arrow")).content).read_all()
    parquet = pq.read_table(pa.BufferReader((await ask(reader, format="parquet")).content))
    assert arrow.equals(parquet)
    assert len(lines) == len(as_csv) == arrow.num_rows == 19
    for name in ("ticket_id", "ticket_number", "status", "reopen_count", "first_reply_seconds"):
        column = arrow[name].to_pylist()
        assert column == [line[name] for line in lines]
        assert ["" if value is None else str(value) for value in column] == [
            row[name] for row in as_csv
        ]
    assert arrow.schema.field("created_at").type == pa.timestamp("us", tz="UTC")


@pytest.mark.parametrize("evil", ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", "\uff1d1"])
async def test_no_cell_of_a_csv_is_a_formula(reader: Reader, evil: str) -> None:
    reader.feed(Story(1).opened(requester=Person("carl", evil, None), subject=evil))
    await settled(reader)
    text = (await ask(reader, "ticket_enriched", format="csv")).text
    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    assert row["subject"] == row["requester_name"] == f"'{evil}"


async def test_chosen_columns_come_with_the_key(reader: Reader) -> None:
    reader.feed(Story(1).opened())
    await settled(reader)
    rows, cursor, _ = await page(reader, fields="status,priority")
    assert rows[0].keys() == {"ticket_id", "status", "priority", "_deleted"}
    other = await ask(reader, fields="status", cursor=cursor)
    assert (other.status_code, other.json()["errors"][0]["field"]) == (422, "query cursor")


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"cursor": "nonsense!"}, "query cursor"),
        ({"cursor": "a" * 2000}, "query cursor"),
        ({"format": "xlsx"}, "query format"),
        ({"limit": 0}, "query limit"),
        ({"limit": 10**9}, "query limit"),
        ({"fields": "status,salary"}, "query fields"),
        ({"fields": "1; DROP TABLE tickets"}, "query fields"),
        ({"since": "yesterday"}, "query since"),
    ],
)
async def test_nonsense_is_refused_by_name(
    reader: Reader, asked: dict[str, Any], field: str
) -> None:
    answer = await ask(reader, **asked)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["field"] == field


async def test_a_cursor_works_only_where_it_was_made_and_unchanged(reader: Reader) -> None:
    reader.feed(Story(1).opened())
    _, cursor, _ = await page(reader)
    for entity, changed in (
        ("ticket_metrics", cursor),
        ("fct_ticket", ("A" if cursor[0] != "A" else "B") + cursor[1:]),
        ("fct_ticket", cursor[:-2]),
    ):
        answer = await ask(reader, entity, cursor=changed)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "query cursor")


async def test_only_supervisors_and_machines_export(reader: Reader) -> None:
    assert (await reader.get("/v1/export/fct_ticket", role=Role.AGENT)).status_code == 403
    assert (await reader.get("/v1/export/fct_ticket", role=Role.CUSTOMER)).status_code == 403
    assert (await reader.get("/v1/export/fct_ticket", role=Role.SUPERVISOR)).status_code == 200
    assert (await ask(reader, "passwords")).status_code == 404


async def test_the_reader_of_bi_is_held_to_its_limits(
    reader: Reader, own_database: Database
) -> None:
    with psycopg.connect(own_database.url("bi_reader"), autocommit=True) as connection:
        said = {
            name: (connection.execute(f"SHOW {name}").fetchone() or ("",))[0]
            for name in (
                "default_transaction_read_only",
                "statement_timeout",
                "idle_in_transaction_session_timeout",
                "search_path",
            )
        }
        assert said == {
            "default_transaction_read_only": "on",
            "statement_timeout": "1min",
            "idle_in_transaction_session_timeout": "5min",
            "search_path": "bi",
        }
        connection.execute("SET default_transaction_read_only = off")
        for forbidden in (
            "CREATE TABLE bi.mine (id int)",
            "CREATE TABLE public.mine (id int)",
            "CREATE TEMPORARY TABLE mine (id int)",
            "SELECT * FROM query.export_seal",
            "SELECT pg_read_file('/etc/passwd')",
            "UPDATE bi.dim_group SET group_name = ''",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(forbidden)
