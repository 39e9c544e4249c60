"""Saved views are documents like the others: versioned, told on the log, everybody's own or kept by supervisors."""

from uuid import uuid4

import pytest

pytestmark = pytest.mark.integration

VIEW = {"title": "Vip", "filter": {"tag": "vip", "is_open": "true"}, "sort": "due", "place": 3}


async def test_own_views_are_everybodys_and_shared_ones_of_supervisors(agent, supervisor, customer):
    name = f"v-{uuid4().hex[:8]}"
    mine, shared = f"/v1/views/mine/{name}", f"/v1/views/shared/{name}"
    assert (await agent.send("PUT", mine, VIEW)).json()["definition"] == {**VIEW, "owner": "anna"}
    assert (await supervisor.send("GET", mine)).status_code == 404, "it is Anna's"
    assert (await agent.send("PUT", shared, VIEW)).status_code == 403
    assert (await customer.send("PUT", mine, VIEW)).status_code == 403
    many = {**VIEW, "groups": ["desk"], "columns": ["number", "subject", "field.cost"]}
    assert (await supervisor.send("PUT", shared, many)).json()["definition"] == many
    assert (await agent.send("GET", shared)).json()["version"] == 1
    stale = await supervisor.send("PUT", shared, VIEW, If_Match='"7"')
    assert stale.status_code == 412
    assert (await agent.send("DELETE", shared)).status_code == 403
    assert (await agent.send("DELETE", mine)).status_code == 200
    assert (await agent.send("GET", mine)).status_code == 404


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"title": " "}, "title"),
        ({"filter": {"cursor": "x"}}, "filter.cursor"),
        ({"filter": {"tag": ""}}, "filter"),
        ({"columns": ["number", "number"]}, "columns"),
        ({"groups": ["desk"]}, "groups"),
        ({"owner": "ben"}, "owner"),
    ],
)
async def test_a_view_that_no_list_could_show_is_refused_by_name(agent, wrong, named):
    answer = await agent.send("PUT", "/v1/views/mine/wrong", {**VIEW, **wrong})
    assert answer.status_code == 422, answer.text
    assert named in answer.json()["errors"][0]["field"]
