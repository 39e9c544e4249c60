"""The history that the service tells, replayed by the command line as a process of its own."""

import json
from pathlib import Path

import pytest

from services.routing.domain.backtest import compare, play, read_material
from shared.events.agents import RoutingRule, RuleMode
from shared.events.base import Channel, Owner, StatusCategory
from shared.events.operations import RoutingOperation, operations_stream
from shared.security import Role
from tests.integration.routing.office import Office
from tests.integration.routing.test_rules_command import Command, command

__all__ = ["command"]

pytestmark = pytest.mark.integration

RULES = """\
default_group: support
rules:
  - {id: vips, group: care, when: [{field: tags, op: contains, value: vip}]}
"""


async def a_day(office: Office) -> None:
    """Two agents, three tickets: one solved, one of a VIP in work, one imported."""
    await office.ready("ann", capacity=1)
    await office.group("care")
    await office.agent("bob", groups=["care"])
    done = await office.opened()
    await office.opened(tags=("vip",))
    await office.moved(done, StatusCategory.SOLVED)
    await office.opened(via=Channel.IMPORT)


async def test_the_history_is_all_that_a_backtest_needs(office: Office) -> None:
    await a_day(office)
    answer = await office.ask("GET", "/v1/routing/history?days=3")
    (taken,) = await office.events(operations_stream(Owner.ROUTING, "history"))
    assert isinstance(taken, RoutingOperation)
    assert (taken.what, taken.changes) == ("history.take", {"days": (None, 3)})
    assert answer.headers["content-type"] == "application/x-ndjson"
    material = read_material(answer.content.splitlines())
    setting = material.setting
    assert (setting.rules_version, [rule.id for rule in setting.rules]) == (1, ["default"])
    assert (sorted(setting.groups), setting.agents) == (["care", "support"], ())
    assert [(one.agent_id, one.presence and one.presence.value) for one in material.moments] == [
        ("ann", None),
        ("ann", "online"),
        ("bob", None),
        ("bob", "online"),
    ]
    first, second, imported = material.tickets
    assert [entry.what.value for entry in first.trail] == ["opened", "freed"]
    assert [(one.agent_id, one.mode) for one in first.handed] == [("ann", "auto")]
    assert (second.facts.tags, second.facts.body, imported.facts.channel) == (
        ("vip",),
        "",
        "import",
    )
    rules = (RoutingRule(id="default", group="support"),)
    told = compare(play(material, rules, RuleMode.FIRST))
    assert told.left_out == {"imported": 1}
    assert told.recorded.tickets == 2


async def test_agents_do_not_see_the_history(office: Office) -> None:
    answer = await office.ask("GET", "/v1/routing/history", as_="ann", role=Role.AGENT)
    assert answer.status_code == 403


async def test_a_saved_history_is_replayed_and_says_that_promises_are_missing(
    office: Office, command: Command, tmp_path: Path
) -> None:
    await a_day(office)
    (tmp_path / "rules.yaml").write_text(RULES)
    history = tmp_path / "history.ndjson"
    rules, saved = str(tmp_path / "rules.yaml"), str(history)
    answer = await office.ask("GET", "/v1/routing/history?days=2")
    history.write_bytes(answer.content)
    status, told, err = await command(
        *("backtest", "--rules", rules, "--history", saved, "--json"), group="routing"
    )
    assert (status, err) == (0, "")
    figures = json.loads(told)
    assert figures["wanted"]["by_group"] == {"care": 1, "support": 1}
    assert figures["moved"] == {"support": {"care": 1}}
    assert figures["promises"] is None
    _, shown, _ = await command(
        *("backtest", "--rules", rules, "--history", saved), group="routing"
    )
    assert "happened       replay, now       replay, new" in shown
    assert "promises are not judged" in shown
    status, _, err = await command("backtest", "--rules", rules, group="routing")
    assert (status, "/v1/sla/timelines is refused: 404" in err) == (1, True), "routing alone"
    (tmp_path / "rules.yaml").write_text(RULES.replace("care", "nowhere"))
    status, _, err = await command(
        *("backtest", "--rules", rules, "--history", saved), group="routing"
    )
    assert (status, "rules.yaml:3: rules[0].group" in err) == (1, True)
