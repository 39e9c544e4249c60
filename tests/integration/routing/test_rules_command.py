"""`ticketing rules` as a process, against a service that really listens."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from shared.security import Role
from tests.integration.routing.office import Office
from tests.support.serving import serving

pytestmark = pytest.mark.integration

Command = Callable[..., Awaitable[tuple[int, str, str]]]

FILE = """\
# who takes what
default_group: support
rules:
  - id: refunds
    group: care
    when: [{field: text, op: contains_any, value: [refund, money back]}]
    priority: high
"""


SHADE = """\
default_group: support
rules:
  - {id: money, group: care, when: [{field: tags, op: matches, value: "mon.y"}]}
  - {id: back, group: support, when: [{field: tags, op: matches, value: "ba[ck]+"}]}
"""


@pytest.fixture
async def command(office: Office, tmp_path: Path) -> AsyncIterator[Command]:
    token = office.token("boss", Role.SUPERVISOR)

    async def run(*arguments: str, given: str = "", group: str = "rules") -> tuple[int, str, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "deploy.cli", group, *arguments),
            *("--url", f"http://{address}", "--token", token),
            cwd=Path.cwd(),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate(given.encode())
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    async with serving(office.service.api) as address:
        yield run


async def test_a_file_is_compared_applied_shown_and_written_out_again(
    office: Office, command: Command, tmp_path: Path
) -> None:
    await office.ready("ann")
    await office.group("care")
    file = tmp_path / "rules.yaml"
    file.write_text(FILE)

    await office.opened(tags=("money", "back"))
    (tmp_path / "shade.yaml").write_text(SHADE)
    status, warned, _ = await command("apply", str(tmp_path / "shade.yaml"), "--dry-run")
    assert (status, "Warning: rule back decides none of the 1 tickets" in warned) == (0, True)
    status, looked, _ = await command("apply", str(file), "--dry-run")
    assert status == 0
    assert "+- id: refunds" in looked
    assert looked.endswith("Nothing is applied (--dry-run).\n")
    assert "\x1b" not in looked
    status, _, asked = await command("apply", str(file))
    assert (status, "give --yes" in asked) == (1, True)
    assert (await office.done("GET", "/v1/routing/rules"))["version"] == 1

    status, done, _ = await command("apply", str(file), "--yes")
    assert (status, done.splitlines()[-1]) == (0, "Applied as version 2.")
    _, again, _ = await command("apply", "-", "--yes", given=FILE)
    assert again == "Nothing to change: version 2 says the same.\n"

    _, shown, _ = await command("show")
    assert "1. refunds: text contains any refund, money back" in shown
    assert "→ group care, priority high" in shown
    _, exported, _ = await command("export")
    (tmp_path / "again.yaml").write_text(exported)
    _, same, _ = await command("apply", str(tmp_path / "again.yaml"), "--yes")
    assert same.startswith("Nothing to change")
    _, history, _ = await command("history")
    assert [line.split("  ")[-1] for line in history.splitlines()] == [
        "Boss: added refunds",
        "Boss: added default",
    ]
    _, old, _ = await command("export", "--version", "1", "--json")
    assert json.loads(old)["rules"] == []


async def test_a_fault_is_told_with_its_line_and_nothing_is_applied(
    office: Office, command: Command, tmp_path: Path
) -> None:
    await office.ready("ann")
    file = tmp_path / "rules.yaml"
    file.write_text(FILE)
    status, out, err = await command("apply", str(file), "--yes")
    assert (status, out) == (1, "")
    assert f"{file}:5: rules[0].group: rule 'refunds': there is no group 'care'" in err
    assert (await office.done("GET", "/v1/routing/rules"))["version"] == 1


async def test_rules_are_tried_on_a_sample_and_on_what_came(
    office: Office, command: Command, tmp_path: Path
) -> None:
    await office.ready("ann")
    await office.group("care")
    await office.opened()
    (tmp_path / "rules.yaml").write_text(FILE)
    sample = tmp_path / "tickets.ndjson"
    sample.write_text('{"id": "a", "subject": "My money back!"}\n\n{"id": "b", "body": "Hello"}\n')
    status, told, _ = await command("try", str(tmp_path / "rules.yaml"), "--sample", str(sample))
    assert status == 0
    assert told.splitlines() == [
        "a: refunds (now default): group support → care, priority normal → high",
        "b: default (now default): no change",
        "Tickets: 2; 1 change against version 1, 0 taken by no rule, 0 doubtful.",
        "By rule: refunds 1, default 1",
        "  support → care: 1",
    ]
    sample.write_text(
        '{"id": "a", "tags": ["money", "back"]}\n{"id": "b", "tags": ["back", "money"]}\n'
    )
    (tmp_path / "shade.yaml").write_text(SHADE)
    _, shaded, _ = await command("try", str(tmp_path / "shade.yaml"), "--sample", str(sample))
    warning = "Warning: rule back decides none of the 2 tickets for which its conditions hold"
    assert f"{warning}; rules before it do (money 2; for example a)." in shaded
    _, month, _ = await command("try", str(tmp_path / "rules.yaml"), "--days", "31")
    assert "Tickets: 1; 0 change against version 1, 0 taken by no rule, 1 doubtful." in month
    sample.write_text('{"id": "a"}\n{"id":\n')
    status, _, err = await command("try", str(tmp_path / "rules.yaml"), "--sample", str(sample))
    assert (status, f"{sample}:2:" in err) == (1, True)
