"""Schema bi: described to the last column, readable by its reader, writable by nobody else."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from shared.events import Priority, StatusCategory
from tests.integration.query.conftest import Reader
from tests.integration.query.stories import Story
from tests.support.database import Database

pytestmark = pytest.mark.integration

VIEWS = {
    "dim_agent", "dim_calendar", "dim_channel", "dim_customer", "dim_date", "dim_group", "dim_organisation",
    "dim_policy", "export_origin", "export_tombstone", "export_touched",
    "fct_agent_day", "fct_assignment", "fct_field_change", "fct_message", "fct_satisfaction", "fct_sla_cycle",
    "fct_sla_judged_again", "fct_sla_pause", "fct_ticket",
    "fct_ticket_event", "sla_policies", "ticket_backlog", "ticket_enriched", "ticket_field_history",
    "ticket_metrics", "ticket_summary",
}  # fmt: skip


async def test_every_view_and_every_column_is_described(reader: Reader) -> None:
    columns = reader.rows(
        "SELECT c.relname, a.attname, obj_description(c.oid) AS view_says,"
        " col_description(c.oid, a.attnum) AS column_says FROM pg_class AS c"
        " JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0"
        " WHERE c.relnamespace = 'bi'::regnamespace"
    )
    assert {row["relname"] for row in columns} == VIEWS
    silent = [
        (row["relname"], row["attname"])
        for row in columns
        if not row["view_says"] or not row["column_says"]
    ]
    assert silent == []


async def test_the_reader_reads_every_view_and_changes_nothing(
    reader: Reader, own_database: Database
) -> None:
    reader.feed(Story(1).opened().give_group(0, "desk", "rule").assign(1, "anna"))
    with psycopg.connect(own_database.url("bi_reader"), autocommit=True) as connection:
        for view in sorted(VIEWS):
            connection.execute(f"SELECT * FROM bi.{view}").fetchall()
        assert connection.execute("SELECT ticket_number FROM bi.ticket_metrics").fetchall() == [
            (1,)
        ]
        for forbidden in (
            "SELECT * FROM query.tickets",
            "SELECT * FROM query.messages",
            "CREATE TABLE bi.mine (id int)",
            "DELETE FROM bi.dim_group",
        ):
            with pytest.raises(
                (psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction)
            ):
                connection.execute(forbidden)


async def test_field_history_tells_from_when_to_when(reader: Reader) -> None:
    story = Story(1).opened().prioritise(2, Priority.HIGH).prioritise(5, Priority.LOW)
    reader.feed(story)
    rows = reader.rows(
        "SELECT value, previous_value, valid_starting_at, valid_ending_at, is_current, user_id"
        " FROM bi.ticket_field_history WHERE field_name = 'priority' ORDER BY valid_starting_at"
    )
    at = [story.start + timedelta(hours=hours) for hours in (0, 2, 5)]
    assert [tuple(row.values()) for row in rows] == [
        ("normal", None, at[0], at[1], False, "carl"),
        ("high", "normal", at[1], at[2], False, "anna"),
        ("low", "high", at[2], None, True, "anna"),
    ]


async def test_the_backlog_of_a_day_is_what_was_open_at_its_end(reader: Reader) -> None:
    start = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
    story = Story(1, at=start).opened().give_group(0, "desk", "rule").assign(20, "anna")
    story.move(13, StatusCategory.PENDING).prioritise(30, Priority.HIGH).solve(50)
    story.reopen(80).close(100)
    brief = Story(2, at=start).opened().solve(3)
    reader.feed(story, brief)
    rows = reader.rows(
        "SELECT date_day::text, ticket_number, status, priority, group_id, assignee_id"
        " FROM bi.ticket_backlog ORDER BY date_day, ticket_number"
    )
    assert [tuple(row.values()) for row in rows] == [
        ("2026-03-02", 1, "new", "normal", "desk", None),
        ("2026-03-03", 1, "pending", "high", "desk", "anna"),
        ("2026-03-05", 1, "open", "high", "desk", "anna"),
    ]


async def test_a_clock_is_one_row_with_the_versions_that_judged_it(reader: Reader) -> None:
    story = Story(1).opened().promise(0, "resolution", 4).miss("resolution", 4)
    reader.feed(story)
    (row,) = reader.rows(
        "SELECT metric, target, is_sla_breach, is_active_sla, priority_applied, policy_version,"
        " calendar_version, sla_breach_at FROM bi.sla_policies"
    )
    assert row == {
        "metric": "resolution",
        "target": 240.0,
        "is_sla_breach": True,
        "is_active_sla": True,
        "priority_applied": "normal",
        "policy_version": 3,
        "calendar_version": 1,
        "sla_breach_at": story.start + timedelta(hours=4),
    }
