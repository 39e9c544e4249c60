"""A projection is built anew beside the live one, which is read and written meanwhile; killed, it goes on."""

import asyncio
import json
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any, LiteralString

import psutil
import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from services.query.generations import Differs, Progress, overview, rebuild
from services.query.projections.groups import TABLES, Group
from services.query.views.export import ENTITIES, Head, Request, read_page
from services.query.views.export.cursors import START, Place
from services.query.word_pairs import read_some
from shared.events.policies import CalendarDefined
from tests.integration.query.random_lives import random_life
from tests.integration.query.running import Running, open_running
from tests.integration.query.stories import Story
from tests.support.events import stamp
from tests.support.servers import Servers
from tests.support.topics import fresh_topics
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

# Everything about the tables and views that a query or a later migration could notice.
_LOOKS = """
SELECT c.relname::text AS name, c.relkind::text AS kind, c.reloptions::text AS options, c.relacl::text AS grants,
       (SELECT array_agg(concat_ws(' ', attname, format_type(atttypid, atttypmod), attnotnull, attgenerated::text)
                         ORDER BY attnum)
        FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped) AS columns,
       (SELECT array_agg(conname || ' ' || pg_get_constraintdef(oid) ORDER BY conname)
        FROM pg_constraint WHERE conrelid = c.oid AND contype <> 'n') AS constraints,
       (SELECT array_agg(definition ORDER BY definition)
        FROM pg_index, pg_get_indexdef(indexrelid) AS definition WHERE indrelid = c.oid) AS indexes,
       (SELECT array_agg(pg_get_triggerdef(oid) ORDER BY tgname)
        FROM pg_trigger WHERE tgrelid = c.oid AND NOT tgisinternal) AS triggers,
       CASE WHEN c.relkind = 'v' THEN pg_get_viewdef(c.oid) END AS definition
FROM pg_class AS c WHERE c.relnamespace = ANY('{query,bi}'::regnamespace[]) AND c.relkind IN ('r', 'v') ORDER BY 1
"""


@pytest.fixture
async def running(servers: Servers) -> AsyncIterator[Running]:
    with fresh_topics(servers.kafka) as prefix:
        async with open_running(servers, prefix) as opened:
            yield opened


def silent(_: Progress) -> None:
    pass


NOT_PROJECTED = {
    "schema_migrations", "consumer_positions", "stream_versions", "held_events", "parked_events", "freshness",
    "generations", "reads", "tombstones", "export_seal", "audit_seals", "audit_days", "audit_heads",
    "audit_day_heads",
    "report_mails", "report_recipients", "report_subscriptions",
    "search_pairs", "search_pairs_progress",
}  # fmt: skip


async def test_every_table_belongs_to_one_group_or_is_no_projection(running: Running) -> None:
    """A table that is forgotten would be written twice by a rebuild: by the live process and by the builder."""
    found = {
        row["name"]
        for row in running.rows(
            "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'query'"
        )
    }
    grouped = [table for tables in TABLES.values() for table in tables]
    assert len(grouped) == len(set(grouped))
    assert found - NOT_PROJECTED == set(grouped)


async def test_every_group_comes_out_as_it_was_with_all_that_migrations_gave_it(
    running: Running,
) -> None:
    stories = [random_life(number, seed=number) for number in range(1, 31)]
    await running.publish(*stories)
    office = CalendarDefined(
        **stamp(1),
        calendar_id="office",
        definition={"timezone": "UTC", "hours": {"mon": [["09:00", "17:00"]]}},
    )
    await running.publish_events([office])
    total = sum(len(story.events) for story in stories) + 1
    await running.projected(total)
    assert running.count("open_hours") > 100
    looks = running.rows(_LOOKS)
    running.store.transact(read_some)
    reads_these = "SELECT documents = 'search_documents'::regclass AS ok FROM search_pairs_progress"
    assert running.rows(reads_these) == [{"ok": True}]
    for group in Group:
        before = running.contents(group)
        done = await rebuild(running.settings, group, silent)
        assert done.number == 2
        assert done.differences == {}
        assert running.contents(group) == before
        others = running.rows("SELECT count(*) AS n FROM timeline")[0]["n"]
        assert others == total, "only its own tables were written"
    assert running.rows(_LOOKS) == looks
    assert running.rows(reads_these) == [{"ok": False}], "words were read in other documents"
    assert {each.group: (each.live, each.old.number if each.old else None) for each in
            running.store.transact(overview)} == dict.fromkeys(Group, (2, 1))  # fmt: skip
    left = running.rows(
        "SELECT DISTINCT consumer FROM (SELECT consumer FROM consumer_positions UNION ALL"
        " SELECT consumer FROM stream_versions) AS c"
    )
    assert left == [{"consumer": "query"}]


async def test_a_copy_that_is_in_the_middle_of_its_pages_loses_nothing_by_a_switch(
    running: Running,
) -> None:
    """The rows have moved to other tables, with the numbers of the transactions that built them."""
    stories = [random_life(number, seed=number) for number in range(1, 13)]
    await running.publish(*stories)
    total = sum(len(story.events) for story in stories)
    await running.projected(total)
    copy: dict[Any, Any] = {}
    await eventually(lambda: is_all_below_the_oldest_transaction(running), what="nobody writes")
    place = await read_on(running, copy, START, pages_max=2)
    assert 0 < len(copy) < len(stories)
    for story in stories:  # read or not
        story.note(900, "while a reader rests")
    await running.publish_events([story.events[-1] for story in stories[::2]])
    await running.projected(total + 6)
    assert (await rebuild(running.settings, Group.TICKETS, silent)).differences == {}
    await running.publish_events([stories[1].events[-1]])
    await running.publish(random_life(99, seed=99))
    more = len(random_life(99, seed=99).events)
    await running.projected(total + 7 + more)
    await eventually(lambda: is_all_below_the_oldest_transaction(running), what="nobody writes")
    await read_on(running, copy, place)
    there = running.rows("SELECT ticket_id, status, note_count, updated_at FROM bi.fct_ticket")
    assert copy == {str(row.pop("ticket_id")): tuple(row.values()) for row in there}


def is_all_below_the_oldest_transaction(running: Running) -> bool:
    (row,) = running.rows(
        "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint > max(change_tx) AS ok FROM tickets"
    )
    return bool(row["ok"])


async def read_on(
    running: Running, copy: dict[Any, Any], place: Place, *, pages_max: int = 1_000
) -> Place:
    """Pages of a few tickets from `place` on into `copy`, by key, as the contract of the export asks."""
    url = running.settings.database_url.get_secret_value()
    fields = ("status", "note_count", "updated_at")
    options = {"options": "-c search_path=query", "row_factory": dict_row}
    async with AsyncConnectionPool(url, min_size=1, kwargs=options) as pool:
        for _ in range(pages_max):
            request = Request(ENTITIES["fct_ticket"], place, 4, fields)
            head, *batches = [part async for part in read_page(pool, request)]
            assert isinstance(head, Head)
            names = [column.name for column in head.columns]
            for batch in batches:
                for told in batch:
                    row = dict(zip(names, told, strict=True))
                    copy[str(row["ticket_id"])] = tuple(row[name] for name in fields)
            place = head.next
            if head.is_end:
                break
    return place


async def test_the_live_projection_goes_on_after_the_switch_from_what_was_rebuilt(
    running: Running,
) -> None:
    """What the live process remembers of a ticket was folded into tables that are gone; it must read again."""
    story = Story(1).opened().note(1, "seen")
    await running.publish(story)
    await running.projected(2)
    running.store.transact(
        lambda tx: tx.cursor.execute("UPDATE tickets SET subject = 'spoilt', note_count = 7")
    )
    running.store.transact(lambda tx: tx.cursor.execute("DELETE FROM messages WHERE version = 2"))
    with pytest.raises(Differs) as refused:
        await rebuild(running.settings, Group.TICKETS, silent)
    assert any("messages: 1 rows live, 2 in the new" in line for line in refused.value.lines)
    assert running.rows("SELECT subject FROM tickets") == [{"subject": "spoilt"}]
    seal = running.rows("SELECT secret FROM export_seal")
    done = await rebuild(running.settings, Group.TICKETS, silent, accept_differences=True)
    assert done.is_resumed
    assert done.differences == {"tickets": 1, "messages": 1}
    assert running.rows("SELECT secret FROM export_seal") != seal, "copies are made anew"
    more = story.events[:]
    story.note(2, "again")
    await running.publish_events(story.events[len(more) :])
    await running.projected(3)
    (row,) = running.rows("SELECT subject, note_count, version FROM tickets")
    assert row["subject"] != "spoilt"
    assert (row["note_count"], row["version"]) == (2, 3)


@pytest.mark.parametrize(
    "spoil",
    [
        "UPDATE tickets SET subject = 'spoilt' WHERE number = 1",
        # The figures of a ticket are made of other tables too, and are told at the position of its row.
        "UPDATE spans SET value = 'hold' WHERE ticket_id = (SELECT ticket_id FROM tickets WHERE number = 1)",
    ],
)
async def test_a_corrected_row_is_told_to_copies(running: Running, spoil: LiteralString) -> None:
    await running.publish(Story(1).opened(), Story(2).opened())
    await running.projected(2)
    running.store.transact(lambda tx: tx.cursor.execute(spoil))
    seen: list[int] = []

    def note(progress: Progress) -> None:
        if (
            progress.stage == "checking"
        ):  # no copy can have read past the first number that is not given out yet
            (row,) = running.rows("SELECT pg_snapshot_xmax(pg_current_snapshot())::text AS at")
            seen.append(int(row["at"]))

    assert (await rebuild(running.settings, Group.TICKETS, note)).differences
    changed = running.rows("SELECT number FROM tickets WHERE change_tx >= %s", seen[-1])
    assert changed == [{"number": 1}]


@pytest.mark.parametrize("table", ["tickets", "agents"])  # of the group; read by its views
async def test_the_switch_waits_for_a_vacuum_and_keeps_no_reader_waiting_meanwhile(
    running: Running, table: LiteralString
) -> None:
    await running.publish(Story(1).opened())
    await running.projected(1)
    stages: list[str] = []

    def waiting() -> list[dict[str, Any]]:
        return running.rows(
            "SELECT mode FROM pg_locks WHERE NOT granted AND relation = %s::regclass",
            f"query.{table}",
        )

    url = running.settings.database_url.get_secret_value()
    with psycopg.connect(url, options="-c search_path=query") as vacuum:
        vacuum.execute(f"LOCK TABLE {table} IN SHARE UPDATE EXCLUSIVE MODE")  # as a vacuum does
        build = asyncio.create_task(
            rebuild(running.settings, Group.TICKETS, lambda told: stages.append(told.stage))
        )
        await eventually(waiting, what="the switch waits")
        assert waiting() == [{"mode": "ShareUpdateExclusiveLock"}]
    await build
    assert "waiting for long readers" not in stages


async def test_reads_and_writes_go_on_while_it_is_built_and_nothing_is_lost(
    running: Running,
) -> None:
    first = [random_life(number, seed=number) for number in range(1, 61)]
    second = [random_life(number, seed=number) for number in range(61, 121)]
    await running.publish(*first)
    begun = sum(len(story.events) for story in first)
    await running.projected(begun)
    total = begun + sum(len(story.events) for story in second)
    stopped, problems, read = threading.Event(), [], [0]

    def keep_reading() -> None:
        url = running.settings.database_url.get_secret_value()
        last = 0
        with psycopg.connect(
            url, autocommit=True, row_factory=dict_row, options="-c search_path=query"
        ) as connection:
            while not stopped.is_set():
                try:
                    row = connection.execute(
                        "SELECT count(*) AS n FROM tickets AS t JOIN bi.ticket_enriched AS e USING (ticket_id)"
                    ).fetchone()
                except psycopg.Error as error:
                    problems.append(repr(error))
                    return
                if row is None or row["n"] < last:
                    problems.append(f"{row} after {last}")
                    return
                last = row["n"]
                read[0] += 1

    reader = threading.Thread(target=keep_reading)
    reader.start()
    try:
        publishing = asyncio.create_task(running.publish(*second))
        done = await rebuild(running.settings, Group.TICKETS, silent)
        await publishing
        await running.projected(total)
    finally:
        stopped.set()
        reader.join()
    assert problems == []
    assert read[0] > 0
    assert done.number == 2
    live = running.contents(Group.TICKETS)
    assert len(live["tickets"]) == 120
    again = await rebuild(running.settings, Group.TICKETS, silent)
    assert again.differences == {}
    assert running.contents(Group.TICKETS) == live


async def test_killed_in_the_middle_it_goes_on_where_it_was(running: Running) -> None:
    stories = [random_life(number, seed=number) for number in range(1, 121)]
    await running.publish(*stories)
    total = sum(len(story.events) for story in stories)
    await running.projected(total)
    before = running.contents(Group.TICKETS)
    environment = {
        **os.environ,
        "TICKETING_DATABASE_URL": running.settings.database_url.get_secret_value(),
        "TICKETING_KAFKA_BOOTSTRAP_SERVERS": running.settings.kafka_bootstrap_servers,
        "TICKETING_TOPIC_PREFIX": running.settings.topic_prefix,
        "TICKETING_CONSUMER_BATCH_MAX": "20",
    }
    command = [sys.executable, "-m", "deploy.cli", "projections"]
    with psycopg.connect(environment["TICKETING_DATABASE_URL"]) as long_reader:
        # Nobody may exchange tables under a reader, so it cannot be over before it is killed.
        long_reader.execute("SELECT count(*) FROM query.tickets")
        process = await asyncio.create_subprocess_exec(
            *command, "rebuild", "tickets", env=environment, stdout=asyncio.subprocess.DEVNULL
        )
        try:
            await eventually(building(running, 60), what="it is under way")
            helpers = psutil.Process(process.pid).children(recursive=True)
        finally:
            process.kill()
            await process.wait()
        assert len(helpers) > 1, "several processes were at work"
        await eventually(
            lambda: not any(helper.is_running() for helper in helpers), what="they end with it"
        )
        (half,) = [each for each in running.store.transact(overview) if each.building]
        assert half.done >= 60
    status, printed = await said(command, "rebuild", "tickets", env=environment)
    assert status == 0, printed
    assert "(resumed)" in printed
    assert "generation 2 is live" in printed
    assert running.contents(Group.TICKETS) == before
    status, printed = await said(command, "drop-old", "tickets", env=environment)
    assert (status, "tickets: dropped" in printed) == (0, True), printed
    noted = [
        json.loads(row["said"])
        for row in running.rows(
            "SELECT convert_from(state, 'UTF8') AS said FROM reads ORDER BY notification_id"
        )
    ]
    assert [(one["what"], one["about"], one["changes"]) for one in noted] == [
        *[("projections.rebuild", "tickets", {"accept_differences": [None, False]})] * 2,
        ("projections.switch", "tickets", {"generation": [None, 2]}),
        ("projections.drop", "tickets", {}),
    ]
    assert all(one["actor"]["id"].startswith("os:") for one in noted)
    status, printed = await said(command, "list", env=environment)
    assert (status, "tickets" in printed) == (0, True), printed
    status, printed = await said(command, "status", env=environment)
    assert (status, printed.strip()) == (1, "Nothing is being built.")


async def said(command: list[str], *more: str, env: dict[str, str]) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        *command, *more, env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    printed, _ = await process.communicate()
    return process.returncode, printed.decode()


def building(running: Running, events: int) -> Callable[[], bool]:
    def is_under_way() -> bool:
        return any(
            each.building and each.done >= events for each in running.store.transact(overview)
        )

    return is_under_way
