"""Stepping back reaches the session too, where Linux shares processors among sessions."""

import subprocess
import sys
from pathlib import Path

import pytest

_STEP_BACK = (
    "import os; from shared.priority import step_back; step_back(7); print(os.nice(0));"
    " print(open('/proc/self/autogroup').read())"
)


@pytest.mark.skipif(
    not Path("/proc/self/autogroup").exists(), reason="this kernel has no autogroups"
)
@pytest.mark.parametrize(("leads", "session"), [(True, "nice 7"), (False, "nice 0")])
def test_a_leader_takes_its_session_along_and_nobody_else_does(leads: bool, session: str) -> None:
    program = [sys.executable, "-c", _STEP_BACK]
    before = [sys.executable, "-c", f"import subprocess; subprocess.run({program!r}, check=True)"]
    said = subprocess.run(
        program if leads else before,
        start_new_session=True,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\n", 1)
    assert said[0] == "7"
    assert said[1].strip().endswith(session)
