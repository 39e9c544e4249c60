"""The list of what an import refused is opened in a spreadsheet, and what stands in it was written by anybody."""

import csv
from pathlib import Path

from deploy.imports.console import _write_refused
from deploy.imports.servicenow_file import RefusedRow


def test_no_cell_of_the_list_is_calculated(tmp_path: Path):
    file = tmp_path / "refused.csv"
    _write_refused(file, [RefusedRow(7, "=1+1", "@column", "+cmd|' /C calc'!A0", "-bad")], [])
    with file.open(newline="", encoding="utf-8") as opened:
        rows = list(csv.reader(opened))
    assert rows[1] == ["7", "'=1+1", "'@column", "'+cmd|' /C calc'!A0", "'-bad"]
