"""A lake in a folder and in a bucket of a real S3 server: a run is killed, the next one loses and doubles nothing."""

import signal
import sys
from asyncio.subprocess import PIPE, Process, create_subprocess_exec
from typing import Any, Final

import pyarrow.fs as pafs
import pyarrow.parquet as pq
import pytest

from deploy.lake import Lake
from deploy.lake.writing import NAMES
from deploy.local.problems import CannotStart
from shared.events import Priority
from tests.integration.lake.test_lake import KEYS, same_entities, settled, update, url
from tests.integration.query.conftest import Reader
from tests.integration.query.random_lives import random_life
from tests.support.database import Database
from tests.support.waiting import eventually

__all__ = ["url"]
pytestmark = pytest.mark.integration

WRITTEN: Final = NAMES[:5]
"""The others are written as these are; a test server of S3 takes its time for each file."""

BEFORE_THE_LOCK: Final = ("fct_ticket", "ticket_enriched")
"""What a run has finished when it comes to the first view over a table that somebody holds."""


async def exporting(place: str, url: str) -> Process:
    """`ticketing export` as somebody at a terminal has it: a process that can be killed."""
    program = "from deploy.cli import main; main()"
    said = ["--to", place, "--database", url, "--entities", ",".join(WRITTEN)]
    return await create_subprocess_exec(
        sys.executable, "-c", program, "export", *said, stdout=PIPE, stderr=PIPE
    )


def nothing_twice(place: str) -> None:
    """The manifest's files hold each key once."""
    lake = Lake(place)
    manifest = lake.newest()
    assert manifest is not None
    assert manifest.entities.keys() == set(WRITTEN)
    for name, content in manifest.entities.items():
        keys: list[Any] = []
        for file in content.files:
            with lake.filesystem.open_input_file(lake.path(file.path)) as opened:
                keys += pq.read_table(opened, columns=[KEYS[name]])[KEYS[name]].to_pylist()
        assert len(keys) == len(set(keys)) == content.rows, name


async def test_a_run_that_is_killed_in_the_middle_is_gone_on_with(
    reader: Reader, own_database: Database, url: str, place: str
) -> None:
    """Twice: the first lake, and an update that has months to merge. Between kill and next run the world goes on."""
    stories = [random_life(number, number) for number in range(1, 40)]
    reader.feed(*stories)
    for round_ in (1, 2):
        await settled(reader)
        with own_database.rule("query") as holder:
            holder.execute("LOCK TABLE spans IN ACCESS EXCLUSIVE MODE")
            run = await exporting(place, url)
            try:
                await eventually(
                    lambda: is_finished(place, BEFORE_THE_LOCK),
                    seconds_max=120,
                    what="the run to be in the middle",
                )
            finally:
                run.kill()
            assert await run.wait() == -signal.SIGKILL
        newest = Lake(place).newest()
        assert (newest.number if newest else 0) == round_ - 1, "readers see the lake before"
        later, known = stories[round_], len(stories[round_].events)
        later.note(500, "later").prioritise(501, Priority.URGENT)
        reader.feed_events(later.events[known:])
        reader.feed(random_life(100 + round_, 100 + round_))
        reader.rows("DELETE FROM tickets WHERE number = %s RETURNING number", 10 + round_)
        await settled(reader)
        run = await exporting(place, url)
        said, complaint = await run.communicate()
        assert run.returncode == 0, complaint.decode()
        assert b"everything was read" not in said, "it goes on, it does not begin anew"
        same_entities(reader, place, WRITTEN)
        nothing_twice(place)
        reader.feed(random_life(200 + round_, 200 + round_))
        stories[round_ + 5].note(600, "and so on")
        reader.feed_events(stories[round_ + 5].events[-1:])


def is_finished(place: str, names: tuple[str, ...]) -> bool:
    lake = Lake(place)
    try:
        progress, newest = lake.progress(), lake.newest()
    except CannotStart:
        return False  # replaced between our asking for its length and for its content
    number = (newest.number if newest else 0) + 1
    if progress is None or progress.number != number:
        return False
    before = newest.entities if newest else {}
    return all(progress.entities.get(name) != before.get(name) for name in names)


async def test_what_a_killed_run_left_behind_is_swept(reader: Reader, url: str, place: str) -> None:
    """Half a file of a run whose power failed: nobody reads it, and the next commit takes it away."""
    reader.feed(random_life(1, 1))
    await update(reader, url, place, entities=WRITTEN)
    lake = Lake(place)
    half = "fct_ticket/month=2026-03/000002-0.parquet"
    with lake.filesystem.open_output_stream(lake.path(half)) as out:
        out.write(b"PAR1 and then the lights went out")
    same_entities(reader, place, WRITTEN)
    reader.feed(random_life(2, 2))
    await update(reader, url, place, entities=WRITTEN)
    same_entities(reader, place, WRITTEN)
    assert lake.filesystem.get_file_info(lake.path(half)).type == pafs.FileType.NotFound
