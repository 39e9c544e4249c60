"""A socket that a test leaves open fails the file of that test, not the next one's (`tests.support.leftovers`)."""

import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

_ROOT = str(Path(__file__).parents[2])

_HELD = """
import gc, socket

gc.disable()  # or the collector might find it by itself

class Held:
    def __init__(self):
        self.socket, self.itself = socket.socket(), self
"""

_FILES = {
    "test_1_in_a_test.py": _HELD + "def test_leaves(): Held()\ndef test_after_it(): pass\n",
    "test_2_finds.py": "import gc\ndef test_innocent(): gc.collect()\n",
    "test_3_in_a_fixture.py": _HELD
    + "import pytest\n@pytest.fixture\ndef held(): return Held()\ndef test_is_given(held): pass\n",
    "test_4_in_an_app.py": _HELD
    + "import fastapi\ndef test_builds_an_app():\n    app, held = fastapi.FastAPI(), Held()\n"
    + "    @app.get('/')\n    def ask(): return held\n",
    "test_5_fails.py": _HELD
    + "import pytest\n@pytest.fixture\ndef bad():\n    yield Held()\n    raise ValueError\n"
    + "def test_ends_badly(bad): pass\n",
    "test_6_finds.py": "import gc\ndef test_innocent(): gc.collect()\n",
}


def test_whoever_leaves_something_open_is_told(tmp_path: Path):
    for name, text in _FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    report = tmp_path / "report.xml"
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-c", os.devnull, "--rootdir", str(tmp_path)),
            *("-p", "tests.support.leftovers", "-p", "no:cacheprovider"),
            *("-W", "error", f"--junit-xml={report}", str(tmp_path)),
        ],
        env=os.environ | {"PYTHONPATH": _ROOT, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 1, ended.stdout + ended.stderr
    told = {
        case.attrib["name"]: bad.text or ""
        for case in ET.parse(report).iter("testcase")
        for bad in case
    }
    assert told.keys() == {
        "test_after_it",
        "test_is_given",
        "test_builds_an_app",
        "test_ends_badly",
    }, ended.stdout
    assert all("unclosed <socket.socket" in said for said in told.values()), told
    assert "ValueError" in told["test_ends_badly"], "what else went wrong is not lost"
