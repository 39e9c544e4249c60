"""Reading a log: what the cells mean, and which rows are set aside."""

import gzip
import lzma
from datetime import UTC, datetime

import pytest

from deploy.imports.servicenow_file import UnusableFile, read_log, slug
from shared.events import Priority
from tests.unit.imports.samples import a_file, a_log, a_row, as_csv


def test_a_row_is_read_with_its_unknowns(tmp_path):
    log = a_log(tmp_path, a_row(assigned_to="Resolver  89", closed_at="?"))
    (row,) = log.incidents["INC1"]
    assert row.updated_at == datetime(2016, 3, 1, 8, 10, tzinfo=UTC)
    assert (row.closed_at, row.assignee, row.group) == (None, "Resolver 89", "Group 5")
    assert row.priority is Priority.NORMAL
    assert row.line == 2


@pytest.mark.parametrize(
    ("text", "priority"),
    [
        ("1 - Critical", Priority.URGENT),
        ("2 - High", Priority.HIGH),
        ("3 - Moderate", Priority.NORMAL),
        ("4 - Low", Priority.LOW),
        ("?", None),
    ],
)
def test_the_four_priorities(tmp_path, text, priority):
    (row,) = a_log(tmp_path, a_row(priority=text)).incidents["INC1"]
    assert row.priority is priority


def test_rows_of_one_incident_may_lie_apart_and_keep_their_order(tmp_path):
    log = a_log(
        tmp_path,
        a_row(number="INC2", updated_at="1/3/2016 09:00"),
        a_row(number="INC1"),
        a_row("Active", "1/3/2016 08:00", number="INC2"),
    )
    assert list(log.incidents) == ["INC2", "INC1"]
    assert [row.state for row in log.incidents["INC2"]] == ["New", "Active"]


def test_the_senseless_state_is_set_aside_alone(tmp_path):
    log = a_log(tmp_path, a_row(), a_row("-100", priority="broken"), a_row("Closed"))
    assert [row.state for row in log.incidents["INC1"]] == ["New", "Closed"]
    (refused,) = log.refused
    assert (refused.line, refused.column, refused.value) == (3, "incident_state", "-100")
    assert refused.is_senseless
    assert log.row_count == 3


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("number", "?"),
        ("number", ""),
        ("number", "INC 1"),
        ("number", "Störung-1"),
        ("incident_state", "Lost"),
        ("sys_updated_at", "?"),
        ("sys_updated_at", "31/2/2016 08:00"),
        ("opened_at", "2016-03-01 08:00"),
        ("closed_at", "1/3/2016 25:00"),
        ("priority", "5 - Whatever"),
        ("made_sla", "perhaps"),
        ("assignment_group", "†"),
        ("caller_id", "x" * 201),
        ("location", "a\x00b"),
    ],
)
def test_an_unreadable_row_names_its_cell_and_holds_up_no_other(tmp_path, column, value):
    log = a_log(tmp_path, a_row(number="INC9"), a_row(**{column: value}))
    (refused,) = log.refused
    assert (refused.line, refused.column, refused.is_senseless) == (3, column, False)
    assert list(log.incidents) == ["INC9"]


def test_a_row_with_too_few_cells_is_refused(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text(as_csv(a_row()) + "INC2,New\n")
    log = read_log(path)
    assert "cells" in log.refused[0].reason
    assert not log.refused[0].is_senseless
    assert list(log.incidents) == ["INC1"]


@pytest.mark.parametrize(("suffix", "pack"), [(".xz", lzma.compress), (".gz", gzip.compress)])
def test_packed_logs_are_unpacked(tmp_path, suffix, pack):
    path = tmp_path / f"log.csv{suffix}"
    path.write_bytes(pack(as_csv(a_row()).encode()))
    assert list(read_log(path).incidents) == ["INC1"]


def test_a_packed_log_that_is_cut_off_is_no_log(tmp_path):
    path = tmp_path / "log.csv.xz"
    path.write_bytes(lzma.compress(as_csv(*[a_row()] * 50).encode())[:-40])
    with pytest.raises(UnusableFile, match="cannot be read"):
        read_log(path)


def test_another_table_is_no_log_and_the_missing_columns_are_named(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("number,state\nINC1,New\n")
    with pytest.raises(UnusableFile, match="incident_state"):
        read_log(path)


def test_a_file_that_is_not_there_is_said_in_one_line(tmp_path):
    with pytest.raises(UnusableFile, match="No such file"):
        read_log(tmp_path / "none.csv")


def test_text_in_another_encoding_is_said_in_one_line(tmp_path):
    path = a_file(tmp_path, a_row())
    path.write_bytes(path.read_bytes() + b"\xff\xfe\n")
    with pytest.raises(UnusableFile, match="cannot be read"):
        read_log(path)


@pytest.mark.parametrize(
    ("name", "made"),
    [("Group 56", "group-56"), ("  Ärger & Co. ", "rger-co"), ("†", ""), ("x" * 70, "x" * 64)],
)
def test_ids_made_of_names(name, made):
    assert slug(name) == made
