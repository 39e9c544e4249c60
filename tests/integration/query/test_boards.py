"""Grafana's boards against a real PostgreSQL: every panel answers, soon, from documented columns, as the API says."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import psycopg
import pytest
from psycopg.rows import dict_row

from deploy.grafana.__main__ import DASHBOARDS
from deploy.grafana.boards import BOARDS
from deploy.grafana.panels import GROUPS, Board, Panel, as_file
from services.query.catalogue import METRICS, REPORTS
from shared.events import Priority
from tests.integration.query.conftest import Reader
from tests.integration.query.random_lives import agent_life, random_life
from tests.integration.query.stories import Story
from tests.support.database import Database

FROM: Final = datetime(2026, 1, 1, tzinfo=UTC)
TO: Final = datetime(2027, 1, 1, tzinfo=UTC)
SECONDS_MAX: Final = 5
ASKED: Final = [(board, panel) for board in BOARDS for panel in board.panels if panel.sql]


def named(value: Any) -> str:
    return value.title if isinstance(value, Panel) else value.name


def expanded(sql: str, groups: tuple[str, ...] = ("-", "desk", "network")) -> str:
    """As Grafana sends it: moments as texts with a Z, chosen values quoted."""
    text = sql.replace("$__timeFrom()", f"'{FROM:%Y-%m-%dT%H:%M:%SZ}'")
    text = text.replace("$__timeTo()", f"'{TO:%Y-%m-%dT%H:%M:%SZ}'")
    text = text.replace("${group:sqlstring}", ",".join(f"'{group}'" for group in groups))
    assert "$" not in text, f"a macro nobody expands: {text}"
    return text


def example() -> list[Story]:
    lives = [random_life(number, seed=number) for number in range(2, 120)]
    for life in lives:  # what is still with an agent would grow while the test asks twice
        if life.agent:
            life.unassign(400)
    other = Story(1).opened(priority=Priority.URGENT).give_group(0, "network", "rule")
    other.assign(1, "bob").promise(0, "first_reply", 4).answer(2).keep(
        2, "first_reply", 4
    ).unassign(9)
    late = Story(120).opened().give_group(0, "desk", "rule").promise(0, "first_reply", 1)
    return [other, late.miss("first_reply", 1), *lives]


@pytest.fixture
def asking(reader: Reader, own_database: Database) -> Any:
    reader.feed(*example())
    reader.feed_events([*agent_life("anna", 1), *agent_life("bob", 1)])
    with psycopg.connect(
        own_database.url("bi_reader"), autocommit=True, row_factory=dict_row
    ) as connection:
        connection.execute(f"SET statement_timeout = '{SECONDS_MAX}s'")
        yield connection


@pytest.mark.parametrize("board", BOARDS, ids=named)
def test_the_file_is_made_of_the_board(board: Board) -> None:
    file = DASHBOARDS / f"{board.name}.json"
    assert file.read_text(encoding="utf-8") == as_file(board), "run `python -m deploy.grafana`"


def test_every_choice_on_top_of_a_board_is_asked_by_a_panel_and_the_other_way_round() -> None:
    """All files of the folder, those that are kept by hand as well."""
    for file in sorted(DASHBOARDS.glob("*.json")):
        text = file.read_text(encoding="utf-8")
        choices = json.loads(text).get("templating", {}).get("list", [])
        used = set(re.findall(r"\$\{(\w+)[:}]", text)) | set(
            re.findall(r"\$(?!__)([a-z]\w*)", text)
        )
        assert used == {choice["name"] for choice in choices}, file.name


def test_panels_do_not_lie_on_each_other_and_every_title_is_its_own() -> None:
    for board in BOARDS:
        taken: set[tuple[int, int]] = set()
        for panel in json.loads(as_file(board))["panels"]:
            place = panel["gridPos"]
            fields = {
                (x, y)
                for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            }
            assert not fields & taken, panel["title"]
            assert max(x for x, _ in fields) < 24
            taken |= fields
        titles = [panel.title for panel in board.panels]
        assert len(set(titles)) == len(titles), board.name


@pytest.mark.integration
async def test_every_panel_answers_as_the_reader_in_bounded_time(asking: Any) -> None:
    for board, panel in ASKED:
        rows = asking.execute(expanded(panel.sql)).fetchall()
        where = f"{board.name}: {panel.title}"
        assert 0 < len(rows) <= panel.rows_max, where
        if panel.kind == "timeseries":
            assert all(isinstance(row["time"], datetime) for row in rows), where
            assert [row["time"] for row in rows] == sorted(row["time"] for row in rows), where
        else:
            assert len(rows[0]) >= len(panel.figures) or len(rows[0]) > 1, where
        # Over time or cut: neither a longer life of the product nor a larger house makes the answer longer.
        assert "$__timeFrom()" in panel.sql or "LIMIT" in panel.sql, where
    assert [row["__value"] for row in asking.execute(GROUPS).fetchall()] == ["-"]


@pytest.mark.integration
async def test_a_chosen_group_narrows_every_panel_that_knows_groups(asking: Any) -> None:
    for board, panel in ASKED:
        if "${group:sqlstring}" not in panel.sql or "FROM bi.dim_agent" in panel.sql:
            continue
        nobody = asking.execute(expanded(panel.sql, ("nobody",))).fetchall()
        left = [value for row in nobody for value in row.values() if isinstance(value, int)]
        assert not any(left), f"{board.name}: {panel.title}"


@pytest.mark.integration
async def test_panels_read_documented_columns_only(reader: Reader) -> None:
    """PostgreSQL itself says what a view of the same text depends on."""
    for board, panel in ASKED:
        where = f"{board.name}: {panel.title}"
        text = expanded(panel.sql)

        def used(tx: Any, text: str = text) -> list[dict[str, Any]]:
            tx.cursor.execute("DROP VIEW IF EXISTS pg_temp.panel")
            tx.cursor.execute(f"CREATE TEMP VIEW panel AS {text}")
            rows = tx.cursor.execute(
                "SELECT n.nspname, c.relname, a.attname, col_description(c.oid, a.attnum) AS says"
                " FROM pg_rewrite AS r JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid"
                " AND d.refclassid = 'pg_class'::regclass JOIN pg_class AS c ON c.oid = d.refobjid"
                " JOIN pg_namespace AS n ON n.oid = c.relnamespace"
                " JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid AND a.attnum > 0"
                " WHERE r.ev_class = 'pg_temp.panel'::regclass AND d.refobjid <> r.ev_class"
            ).fetchall()
            tx.cursor.execute("DROP VIEW pg_temp.panel")
            found: list[dict[str, Any]] = rows
            return found

        columns = reader.store.transact(used)
        assert columns, where
        assert {column["nspname"] for column in columns} == {"bi"}, where
        assert [column for column in columns if not column["says"]] == [], where


@pytest.mark.integration
async def test_a_figure_that_the_catalogue_has_is_the_one_of_the_catalogue(
    reader: Reader, asking: Any
) -> None:
    compared = set()
    period = {"opened_from": FROM.isoformat(), "opened_before": TO.isoformat()}
    for board, panel in ASKED:
        if panel.report is None or panel.by is None:
            continue
        where = f"{board.name}: {panel.title}"
        when = period if "$__timeFrom()" in panel.sql else {}
        told = await reader.read(f"/v1/reports/{panel.report}", by=panel.by, **when)
        shown = asking.execute(expanded(panel.sql)).fetchall()
        steady = [name for name in panel.figures if not name.startswith("age_")]  # ages grow
        expected = sorted([_plain(row[name]) for name in steady] for row in told["rows"])
        assert sorted([_plain(row[METRICS[n].title]) for n in steady] for row in shown) == expected
        assert expected, where
        compared |= {(panel.report, name) for name in steady}
    in_reports = {(report, name) for report in REPORTS for name in REPORTS[report].metrics}
    assert compared <= in_reports
    assert len(compared) > 30


def test_no_panel_of_its_own_counts_what_the_catalogue_has() -> None:
    """Own SQL is for what is no figure of the catalogue: lists, and counts over events or over past days."""
    own = {panel.title for _, panel in ASKED if panel.report is None}
    assert own == {
        "Opened by channel",
        "Due next",
        "Here now",
        "Solved and opened again by day",
        "Backlog at the end of each day",
    }


@pytest.mark.integration
async def test_counts_of_own_panels_agree_with_the_catalogue_and_the_board(
    reader: Reader, asking: Any
) -> None:
    def rows(title: str) -> list[dict[str, Any]]:
        (sql,) = [panel.sql for _, panel in ASKED if panel.title == title and not panel.report]
        found: list[dict[str, Any]] = asking.execute(expanded(sql)).fetchall()
        return found

    volume = {
        row["channel"]: row["tickets"]
        for row in (await reader.read("/v1/reports/volume", by="channel"))["rows"]
    }
    by_hour: dict[str, int] = {}
    for row in rows("Opened by channel"):
        by_hour[row["metric"]] = by_hour.get(row["metric"], 0) + row["tickets"]
    assert by_hour == volume
    board = await reader.read("/v1/dashboard")
    today = max(row["time"] for row in rows("Backlog at the end of each day"))
    assert (datetime.now(UTC) - today) < timedelta(days=1)
    at_end = {
        row["metric"]: row["tickets"]
        for row in rows("Backlog at the end of each day")
        if row["time"] == today
    }
    assert at_end == {name: count for name, count in board["backlog"]["by_status"].items() if count}
    figures = await reader.read("/v1/reports/backlog", by="status")
    assert at_end == {row["status"]: row["tickets"] for row in figures["rows"]}


def test_every_macro_is_one_that_grafana_knows() -> None:
    known = {"$__timeFrom()", "$__timeTo()"}
    for _, panel in ASKED:
        assert set(re.findall(r"\$__\w+\(?\)?", panel.sql)) <= known, panel.title


def _plain(value: Any) -> str:
    return "" if value is None else f"{float(value):.9g}"
