"""Rules over the whole product: from a file, on what other services say, once though intake is killed, and told."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from deploy.commands.intake import app
from deploy.commands.routing import app as routing
from shared.security import Role
from tests.support.product import Product, is_caught_up
from tests.support.waiting import eventually

pytestmark = pytest.mark.e2e

MARK = "of-the-rules-story"
RULES = [
    {
        "id": "late",
        "title": "Late is loud",
        "events": ["sla_breached"],
        "when": [{"field": "tags", "op": "contains", "value": MARK}],
        "actions": {"add_tags": ["late"], "note": "Broken: #{{ticket.number}}"},
    }
]


@pytest.fixture
def console(product: Product) -> Iterator[Any]:
    """`ticketing intake rules …` as a supervisor; what it printed."""
    token = product.token(Role.SUPERVISOR, "sue")

    def run(*arguments: str) -> str:
        asked = ["rules", *arguments, "--url", product.address, "--token", token]
        result = CliRunner().invoke(app, asked, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    yield run
    product.door("supervisor", "sue").call("PUT", "/v1/rules", {"rules": []})


def runs(product: Product, ticket_id: str) -> int:
    ((count,),) = product.rows(
        "intake",
        "SELECT count(*) FROM intake_events WHERE originator_id = %s AND topic = 'ticket.rule_applied.v1'",
        ticket_id,
    )
    return int(count)


async def test_a_rule_from_a_file_runs_once_a_ticket_though_intake_is_killed_and_is_told(
    product: Product, console: Any, tmp_path: Path
) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"rules": RULES}))
    assert "+  title: Late is loud" in console("apply", str(file), "--dry-run")
    assert "Applied as version" in console("apply", str(file), "--yes")
    assert "on sla breached, if tags contains" in console("show")
    agent = product.door("agent", "anna")
    body = {
        "subject": "Slow",
        "body": "Hello?",
        "priority": "urgent",
        "tags": [MARK],
        "requester": {"id": "carl"},
    }
    opened = [agent.call("POST", "/v1/tickets", body) for _ in range(8)]
    tickets = [one["ticket_id"] for one in opened]
    await eventually(lambda: any(runs(product, one) for one in tickets), seconds_max=60)
    product.kill("intake")
    product.start_again("intake")
    await eventually(lambda: all(runs(product, one) for one in tickets), seconds_max=60)
    assert [runs(product, one) for one in tickets] == [1] * len(tickets)

    def timeline() -> str:
        return json.dumps(agent.call("GET", f"/v1/tickets/{tickets[0]}/timeline?limit=200"))

    told = await eventually(lambda: "ticket.rule_applied.v1" in timeline() and timeline())
    assert f"ran on sla breached, as tags contains {MARK}" in told
    assert "note written, tags +late" in told
    tried = {**RULES[0], "events": ["opened"], "actions": {"add_tags": ["seen"]}}
    file.write_text(yaml.safe_dump({"rules": [tried]}))
    assert "late: on opened: tags +seen" in console("try", str(file), "--ticket", tickets[0])


async def test_rules_of_routing_are_tried_on_what_came_with_every_promise_judged(
    product: Product, tmp_path: Path
) -> None:
    body = {"subject": "Slow", "body": "Hello?", "priority": "urgent", "requester": {"id": "carl"}}
    agent = product.door("agent", "anna")
    ticket_id = agent.call("POST", "/v1/tickets", body)["ticket_id"]
    late = "SELECT count(*) FROM sla_events WHERE originator_id = %s AND topic = 'sla.breached.v1'"
    await eventually(lambda: product.rows("sla", late, ticket_id) == [(1,)], seconds_max=60)
    await eventually(lambda: is_caught_up(product), seconds_max=60)
    rules, saved = tmp_path / "rules.yaml", tmp_path / "past.ndjson"
    rules.write_text("default_group: desk\nrules: []\n")
    token = product.token(Role.SUPERVISOR, "sue")

    def told(*arguments: str) -> str:
        result = CliRunner().invoke(
            routing, ["backtest", "--rules", str(rules), *arguments], catch_exceptions=False
        )
        assert result.exit_code == 0, result.output
        return result.output

    live = ("--days", "1", "--url", product.address, "--token", token)
    first = json.loads(told(*live, "--save", str(saved), "--json"))
    promises = first["promises"]
    assert promises["tickets"] == first["recorded"]["tickets"] > 0 == promises["unknown"]
    assert promises["metrics"]["first_reply"]["happened"]["breached"] >= 1
    assert set(promises["policies"]["standard"]) == {"happened", "current", "wanted"}
    assert sum(promises["breaches_by_group"]["desk"].values()) >= 3
    assert json.loads(told("--history", str(saved), "--json")) == first
    assert "  first_reply  " in told("--history", str(saved))
