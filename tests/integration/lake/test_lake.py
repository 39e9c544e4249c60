"""`ticketing export` and `ticketing report --sql`: a lake says what schema bi says, whatever happened to it."""

import contextlib
import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pyiceberg.table import StaticTable
from typer.testing import CliRunner

from deploy.cli import app
from deploy.lake import Lake, ReadOnly, export, open_lake
from deploy.lake.iceberg import TABLES, access, catalogue_of, register
from deploy.lake.manifest import PROGRESS
from deploy.lake.writing import NAMES, WHOLE
from deploy.local.problems import CannotStart
from services.query.views.export import ENTITIES
from shared.events import Priority
from shared.events.agents import AgentDefined, AgentProfile
from tests.integration.query.conftest import Reader
from tests.integration.query.random_lives import random_life
from tests.integration.query.stories import Story
from tests.support.database import Database
from tests.support.events import stamp
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

KEYS = {**{name: entity.key for name, entity in ENTITIES.items()}, **WHOLE}
# What runs on while a ticket is open is as of the moment of asking, and has no row of its own in the lake.
RUNNING = ("minutes", "held_seconds", "handle_seconds", "online_seconds")


@pytest.fixture
def url(own_database: Database) -> str:
    return own_database.url("bi_reader")


def in_database(reader: Reader, name: str) -> list[Any]:
    columns = [column for column in shape(reader, name) if not column.endswith(RUNNING)]
    chosen = ", ".join(f"{column}::text" for column in columns)
    return [
        tuple(row.values())
        for row in reader.rows(
            f'SELECT {chosen} FROM bi.{name} ORDER BY {KEYS[name]}::text COLLATE "C"'
        )
    ]


def in_lake(reader: Reader, lake: ReadOnly, name: str) -> list[Any]:
    columns = [column for column in shape(reader, name) if not column.endswith(RUNNING)]
    _, rows = lake.ask(f"SELECT {', '.join(columns)} FROM {name} ORDER BY {KEYS[name]}::text")
    return rows


def shape(reader: Reader, name: str) -> list[str]:
    return [
        row["attname"]
        for row in reader.rows(
            "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 ORDER BY attnum",
            f"bi.{name}",
        )
    ]


async def settled(reader: Reader) -> None:
    """Until no stranger's transaction on the same server holds anything back."""
    await eventually(
        lambda: reader.rows(
            "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint > greatest("
            "(SELECT max(change_tx) FROM tickets), (SELECT max(change_tx) FROM tombstones),"
            " (SELECT max(described_tx) FROM agents)) AS ok"
        )[0]["ok"]
    )


async def update(reader: Reader, url: str, place: Path | str, **said: Any) -> Any:
    await settled(reader)
    return export(url, Lake(str(place)), **said)


async def test_a_lake_is_what_the_views_say_and_stays_so(
    reader: Reader, url: str, tmp_path: Path
) -> None:
    stories = [random_life(number, number) for number in range(1, 40)]
    reader.feed(*stories)
    await update(reader, url, tmp_path)
    same_entities(reader, tmp_path)
    later = stories[3]
    told = len(later.events)
    later.note(500, "later").prioritise(501, Priority.URGENT)
    fresh = random_life(99, 99)
    named = AgentDefined(**stamp(1), agent_id="anna", profile=AgentProfile(name="Anna B."))
    reader.feed_events([*later.events[told:], *fresh.events, named])
    second = await update(reader, url, tmp_path)
    assert second.anew is None
    assert second.read["fct_ticket"] == 2, "only what changed is read again"
    assert second.read["ticket_enriched"] > 2, "and what shows another name now"
    same_entities(reader, tmp_path)
    reader.rows("DELETE FROM tickets WHERE number = 7 RETURNING number")
    await update(reader, url, tmp_path)
    same_entities(reader, tmp_path)
    lake = open_lake(str(tmp_path))
    assert lake.ask("SELECT count(*) FROM fct_ticket WHERE ticket_number = 7")[1] == [(0,)]
    lake.close()


def same_entities(reader: Reader, place: Path | str, names: Sequence[str] = NAMES) -> None:
    lake = open_lake(str(place))
    for name in names:
        if name in {"fct_agent_day", "dim_date"}:
            continue  # they go on with the clock between the two looks
        ours, theirs = in_lake(reader, lake, name), in_database(reader, name)
        said = [[_plain(value) for value in row] for row in ours]
        assert said == [[_plain(value) for value in row] for row in theirs], name
    lake.close()


def _plain(value: Any) -> Any:
    """One notation for both: numbers as numbers, moments as seconds."""
    if value in {"true", "false"}:
        return value == "true"
    if isinstance(value, str):
        for reading in (float, lambda text: datetime.fromisoformat(text).timestamp()):
            with contextlib.suppress(ValueError):
                return reading(value)
        return value
    if hasattr(value, "timestamp"):
        return value.timestamp()
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


async def test_nobody_sees_a_half_written_lake(
    reader: Reader, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader.feed(*(random_life(number, number) for number in range(1, 9)))
    await update(reader, url, tmp_path)
    reader.feed(random_life(10, 10))

    class PowerCut(Exception):
        pass

    def dies_at_the_third(name: str, rows: int) -> None:
        if name == NAMES[2]:
            raise PowerCut

    with pytest.raises(PowerCut):
        await update(reader, url, tmp_path, say=dies_at_the_third)
    lake = open_lake(str(tmp_path))
    assert lake.manifest.number == 1
    assert lake.ask("SELECT count(*) FROM fct_ticket")[1] == [(8,)]
    lake.close()
    assert (tmp_path / PROGRESS).exists()
    resumed = await update(reader, url, tmp_path)
    assert resumed.read[NAMES[0]] == 0, "what was finished is not read again"
    assert not (tmp_path / PROGRESS).exists()
    same_entities(reader, tmp_path)


async def test_another_database_makes_the_lake_anew(
    reader: Reader, url: str, tmp_path: Path
) -> None:
    reader.rows("INSERT INTO export_seal DEFAULT VALUES ON CONFLICT DO NOTHING RETURNING 1")
    reader.feed(Story(1).opened())
    await update(reader, url, tmp_path)
    reader.rows("UPDATE export_seal SET secret = 'another' RETURNING 1")
    written = await update(reader, url, tmp_path)
    assert written.anew == "the lake is a copy of another database"
    assert written.manifest.entities["fct_ticket"].rows == 1


async def test_duckdb_reads_it_without_us(
    reader: Reader, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader.feed(Story(1).opened(), Story(2).opened().solve(3))
    await update(reader, url, tmp_path)
    monkeypatch.chdir(tmp_path)
    with duckdb.connect() as connection:
        connection.execute((tmp_path / "lake.sql").read_text())
        for name in ("bi.fct_ticket", "fct_ticket"):  # as in PostgreSQL; as for `report --sql`
            found = connection.execute(f"SELECT status, count(*) FROM {name} GROUP BY 1 ORDER BY 1")
            assert found.fetchall() == [("new", 1), ("solved", 1)]


async def test_iceberg_reads_it(reader: Reader, url: str, place: str) -> None:
    """By the catalogue, and by somebody who has the addresses of the tables and nothing of ours."""
    reader.feed(*(random_life(number, number) for number in range(1, 9)))
    for number in (9, 10):
        reader.feed(random_life(number, number))
        written = await update(reader, url, place, entities=["fct_ticket", "dim_agent"])
        lake = Lake(place)
        register(lake, written.manifest)
        with catalogue_of(lake) as catalogue:
            assert catalogue.load_table("bi.fct_ticket").scan().to_arrow().num_rows == number
        with lake.filesystem.open_input_file(lake.path(TABLES)) as opened:
            tables = json.loads(opened.read())
        table = StaticTable.from_metadata(tables["fct_ticket"], access(place))
        rows = table.scan(selected_fields=("ticket_number",)).to_arrow()["ticket_number"]
        assert sorted(rows.to_pylist()) == list(range(1, number + 1))


def test_iceberg_gets_to_a_bucket_as_pyarrow_does() -> None:
    place = "s3://key:se%2Fcret@lakes/a?region=eu-west-1&scheme=http&endpoint_override=127.0.0.1:9"
    assert access(place) == {
        "s3.region": "eu-west-1", "s3.endpoint": "http://127.0.0.1:9",
        "s3.access-key-id": "key", "s3.secret-access-key": "se/cret",
    }  # fmt: skip
    assert access("s3://lakes/a") == access("/a/folder") == {}


@pytest.mark.parametrize(
    "sql",
    [
        "DROP VIEW bi.fct_ticket",
        "SELECT 1; SELECT 2",
        "COPY (SELECT 1) TO 'out.csv'",
        "SELECT * FROM read_csv('/etc/passwd')",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "ATTACH 'other.db'",
        "SELECT nonsense FROM fct_ticket",
    ],
)
async def test_a_lake_is_only_read(reader: Reader, url: str, tmp_path: Path, sql: str) -> None:
    reader.feed(Story(1).opened())
    await update(reader, url, tmp_path, entities=["fct_ticket"])
    lake = open_lake(str(tmp_path))
    with pytest.raises(CannotStart):
        lake.ask(sql)
    lake.close()


async def test_the_command_line_asks_and_answers(reader: Reader, url: str, tmp_path: Path) -> None:
    reader.feed(Story(1).opened(subject="=1+1"))
    await update(reader, url, tmp_path, entities=["fct_ticket"])
    run = CliRunner().invoke
    done = run(
        app, ["export", "--to", str(tmp_path), "--entities", "ticket_enriched", "--database", url]
    )
    assert done.exit_code == 0, done.output
    question = [
        "report",
        "--lake",
        str(tmp_path),
        "--sql",
        "SELECT subject, ticket_number FROM ticket_enriched",
    ]
    assert json.loads(run(app, [*question, "--json"]).output) == [
        {"subject": "=1+1", "ticket_number": 1}
    ]
    assert run(app, [*question, "--csv"]).output == "subject,ticket_number\n'=1+1,1\n"
    assert "=1+1" in run(app, question).output
    wrong = run(app, ["export", "--to", str(tmp_path), "--entities", "weather", "--database", url])
    assert "no entity weather" in str(wrong.exception)
