"""The pages about `evaluate` say what the commands print: every block is really run."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.readme import ROOT, blocks, missing

PAGES = ["calendar-evaluate", "sla-evaluate"]
RUN_SECONDS_MAX = 60


@pytest.mark.parametrize("name", PAGES)
def test_the_page_shows_what_is_printed(name: str, tmp_path: Path) -> None:
    page = (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
    (tmp_path / ".venv").symlink_to(sys.prefix)
    found = blocks(page)
    runs = 0
    for block, after in zip(found, [*found[1:], None], strict=True):
        if block.mark == "run":
            runs += 1
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", block.text],
                cwd=tmp_path,
                capture_output=True,
                text=True,
                timeout=RUN_SECONDS_MAX,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            assert after is not None
            assert missing(after.text.splitlines(), done.stdout) == [], done.stdout
        elif block.mark:
            ending = "\r\n" if block.mark.endswith(".ics") else "\n"
            (tmp_path / block.mark).write_text(block.text, newline=ending)
    assert runs >= 3


def test_every_metric_and_fact_is_one_that_the_engine_knows() -> None:
    from services.sla.engine import METRICS
    from services.sla.engine.parsing import _KINDS

    page = (ROOT / "docs" / "sla-evaluate.md").read_text(encoding="utf-8")
    assert [kind for kind in _KINDS if f"`{kind}`" not in page] == []
    named = ["first_assign", "speed_of_answer", "requester_wait", "agent_work", "periodic_update"]
    assert [name for name in named if name not in METRICS or f"`{name}`" not in page] == []
