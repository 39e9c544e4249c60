"""The tour in README.md is really taken, on a running product: every command succeeds and prints what is shown."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import jwt
import pytest

from deploy.compose import make_env
from deploy.local import demo
from tests.docs.readme import README, ROOT, blocks, missing, tour
from tests.support.product import a_product

BASH: Final = ("bash", "-euo", "pipefail")
TOUR_SECONDS_MAX: Final = 240
"""Some forty short processes, one broken promise and one import; a view that never follows must end the test."""

TOKEN_FOR_CONTAINERS: Final = (
    "TICKETING_HOME=.ticketing/compose .venv/bin/ticketing token --role admin --subject me"
)
ELSEWHERE: Final = {
    "make run": "tests/docs/test_run.py",  # the command behind the target
    "make test": ".ci/run",
    "deploy/compose/make-env --keys .ticketing/compose/keys": "tests/contract/test_make_env.py",
    # Docker's own commands: the files they read are tested, they themselves are run by hand.
    "docker compose up --wait": "tests/contract/test_compose.py",
    TOKEN_FOR_CONTAINERS: "tests/docs/test_readme.py",  # below
}
"""Commands outside the tour, and the file that runs or checks what they run."""

MARK: Final = "=== block "


@pytest.mark.e2e
def test_the_tour_prints_what_is_shown(tmp_path: Path) -> None:
    steps = list(tour(README.read_text(encoding="utf-8")))
    assert len(steps) > 8
    script = "\n".join(f"echo '{MARK}{place}'\n{text}" for place, (text, _) in enumerate(steps))
    here = (
        tmp_path / "here"
    )  # where the reader stands: the project, with an installation of its own
    here.mkdir()
    (here / ".venv").symlink_to(sys.prefix)
    (here / "docs").symlink_to(ROOT / "docs")
    with a_product(here / ".ticketing") as product:
        demo.seed(product.stack)
        told = {name: value for name, value in os.environ.items() if name != "TICKETING_HOME"}
        done = subprocess.run(
            [*BASH, "-c", script],
            cwd=here,
            env={**told, "DOOR": product.address, "COLUMNS": "100"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TOUR_SECONDS_MAX,
            check=False,
        )
    (tmp_path / "printed.txt").write_text(done.stdout)
    assert done.returncode == 0, done.stdout
    printed = [part.partition("\n")[2] for part in done.stdout.split(MARK)[1:]]
    assert len(printed) == len(steps)
    for (command, shown), real in zip(steps, printed, strict=True):
        assert missing(shown, real) == [], f"{command}\nprinted:\n{real}"


def test_no_command_is_unaccounted_for() -> None:
    """Every line of a shell block outside the tour is listed with where it is run or checked."""
    page = README.read_text(encoding="utf-8")
    lines = {
        line
        for block in blocks(page)
        if block.language == "sh" and block.mark != "tour"
        for line in block.text.splitlines()
    }
    assert lines == ELSEWHERE.keys()
    assert [place for place in ELSEWHERE.values() if not (ROOT / place).exists()] == []
    assert "make test" in (ROOT / ".ci" / "run").read_text().splitlines()


def test_a_token_for_the_containers_is_one_that_they_accept(tmp_path: Path) -> None:
    """Made with the commands that README shows, where the reader would stand."""
    keys = tmp_path / ".ticketing" / "compose" / "keys"
    template = ROOT / ".env.example"
    arguments = ["--template", str(template), "--env", str(tmp_path / ".env"), "--keys", str(keys)]
    assert make_env.main(arguments) == 0
    (tmp_path / ".venv").symlink_to(sys.prefix)
    done = subprocess.run(
        [*BASH, "-c", TOKEN_FOR_CONTAINERS],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    values = dict(
        line.split("=", 1)
        for line in (tmp_path / ".env").read_text().splitlines()
        if "=" in line and not line.startswith("#")
    )
    key_set = jwt.PyJWKSet.from_json(Path(values["JWKS_FILE"]).read_text())
    token = done.stdout.strip()
    key = key_set[jwt.get_unverified_header(token)["kid"]].key
    claims = jwt.decode(
        token,
        key,
        algorithms=["EdDSA"],
        audience=values["JWT_AUDIENCE"],
        issuer=values["JWT_ISSUER"],
    )
    assert (claims["sub"], claims["role"]) == ("me", "admin")


def test_every_block_has_a_language_that_says_what_it_is() -> None:
    odd = [block for block in blocks(README.read_text()) if block.language not in {"sh", "text"}]
    assert odd == []


def test_a_line_that_was_not_printed_is_missed() -> None:
    printed = "one 1\ntwo 2\nthree 3\n"
    assert missing(["one …", "…", "three 3"], printed) == []
    assert missing(["three 3", "one …"], printed) == ["one …"]
    assert missing(["two"], printed) == ["two"]
