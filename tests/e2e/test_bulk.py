"""Many tickets from a terminal: chosen by a list or a view, changed as one job, taken back."""

import re
from typing import Any

import pytest
from typer.testing import CliRunner

from deploy.commands.bulk import app
from shared.identifiers import new_id
from shared.security import Role
from tests.support.product import Product
from tests.support.waiting import eventually

pytestmark = pytest.mark.e2e


async def test_a_list_and_a_view_are_changed_and_taken_back_from_a_terminal(
    product: Product,
) -> None:
    mark, agent = f"many-{new_id().hex[-8:]}", product.door("agent", "anna")
    body = {"subject": "One of many", "body": "…", "tags": [mark], "requester": {"id": "carl"}}
    opened = [agent.call("POST", "/v1/tickets", body) for _ in range(3)]

    def listed(wanted: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = agent.call("GET", f"/v1/tickets?{wanted}")["tickets"]
        return found

    await eventually(lambda: len(listed(f"tag={mark}")) == len(opened))
    token = product.token(Role.AGENT, "anna", name="Anna")

    def said(*arguments: str) -> str:
        asked = [*arguments, "--url", product.address, "--token", token]
        result = CliRunner().invoke(app, asked, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    told = said("run", "--list", f"tag={mark}", "--actions", '{"add_tags": ["seen"]}', "--yes")
    assert "3 done, 0 unchanged, 0 refused, 0 waiting of 3" in told
    job = re.search(r"job (\S+)", told)
    assert job is not None
    await eventually(lambda: len(listed(f"tag={mark}&tag=seen")) == len(opened))
    view = {"title": "Those of this story", "filter": {"tag": mark}}
    agent.call("PUT", f"/v1/views/mine/{mark}", view)
    await eventually(
        lambda: any(one["name"] == mark for one in agent.call("GET", "/v1/views")["views"])
    )
    again = said("run", "--view", mark, "--actions", '{"add_tags": ["seen"]}', "--yes")
    assert "0 done, 3 unchanged" in again
    assert "takes back 3" in said("undo", job[1])

    def tags() -> list[list[str]]:
        return [one["tags"] for one in listed(f"tag={mark}")]

    await eventually(lambda: tags() == [[mark]] * len(opened), what="the tags are gone again")
