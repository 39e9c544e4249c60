"""`make bench` works as a whole: small numbers through every measurement; no time is judged."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.bench.scale import QUICK

pytestmark = [pytest.mark.integration, pytest.mark.e2e]

ROOT = Path(__file__).parents[2]
SECONDS_MAX = 400
"""About a minute on two free cores; a run that hangs is a failure."""


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("bench")
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", "--quick", "--output", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    # What it ends with is the reason; what its libraries remarked on the way is not.
    assert done.returncode == 0, done.stderr + done.stdout
    (written,) = folder.iterdir()
    assert f"written to {written}" in done.stdout.replace("\n", "")
    return json.loads(written.read_bytes())


def test_every_measurement_left_its_figures(document: dict[str, Any]):
    sections = {figure["section"] for figure in document["figures"]}
    assert sections == {
        *(
            "plumbing",
            "projections",
            "rebuild",
            "export",
            "lists",
            "dashboards",
            "email",
            "chat",
            "replies",
            "routing",
            "sla",
            "creates",
            "path",
            "timers",
            "memory",
        )
    }
    assert all(figure["value"] > 0 for figure in document["figures"])


def test_what_goes_through_has_its_limit_beside_it(document: dict[str, Any]):
    for figure in document["figures"]:
        if figure["unit"] in {"/s", "events/s"}:
            assert figure["limit"] > 0, figure["name"]
            assert figure["share"] == pytest.approx(figure["value"] / figure["limit"])


def test_every_ticket_of_the_path_was_timed(document: dict[str, Any]):
    timed = [one["details"]["tickets"] for one in document["figures"] if one["section"] == "path"]
    assert timed == [QUICK.path_rate * QUICK.path_seconds] * 5


def test_no_breach_was_stored_before_its_deadline(document: dict[str, Any]):
    lateness = [
        one
        for one in document["figures"]
        if one["section"] == "timers" and one["name"].startswith("deadline")
    ]
    assert len(lateness) == 2
    assert lateness[0]["details"]["events_per_second_arriving"] > 0
    assert all(
        0 <= one["details"]["p50"] <= one["value"] <= one["details"]["most"] for one in lateness
    )


def test_all_four_services_were_watched(document: dict[str, Any]):
    watched = [
        one["name"].split(",")[0] for one in document["figures"] if one["section"] == "memory"
    ]
    assert watched == ["intake", "routing", "sla", "query"]
