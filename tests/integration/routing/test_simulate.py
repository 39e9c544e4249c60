"""`POST /v1/routing/simulate` and the live service: one answers what the other would do."""

import json
import random
from typing import Any
from uuid import UUID

import pytest

from services.routing.domain.strategies import STRATEGIES
from shared.events.assignments import TicketAssigned, TicketQueued
from shared.events.base import Priority, StatusCategory
from shared.security import Role
from tests.integration.routing.office import Office

pytestmark = pytest.mark.integration

PATH = "/v1/routing/simulate"
NDJSON = "application/x-ndjson"


def a_scenario(**changes: Any) -> dict[str, Any]:
    return {
        "id": "s",
        "agents": [{"id": "ann"}],
        "actions": [{"type": "assign", "ticket": "t"}],
    } | changes


async def lines(office: Office, *body: Any) -> list[dict[str, Any]]:
    raw = b"\n".join(one if isinstance(one, bytes) else json.dumps(one).encode() for one in body)
    answer = await office.ask("POST", PATH, raw, content_type=NDJSON)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith(NDJSON)
    return [json.loads(line) for line in answer.text.splitlines()]


async def test_one_scenario_has_one_answer_and_changes_nothing(office: Office) -> None:
    answer = await office.done("POST", PATH, a_scenario(), role=Role.AGENT)
    assert (answer["id"], answer["loads"]) == ("s", {"ann": 1})
    assert answer["results"][0]["agent"] == "ann"
    assert await office.rows("SELECT 1 FROM tickets UNION ALL SELECT 1 FROM agents") == []


async def test_many_scenarios_have_an_answer_each_and_a_bad_one_stops_nobody(
    office: Office,
) -> None:
    told = await lines(
        office,
        a_scenario(id=1),
        a_scenario(id=2, config={"strategy": "best"}),
        b'{"id": 3',
        a_scenario(id=4, agents=[{"id": "ann", "capcity": 1}]),
        a_scenario(id=5),
    )
    assert [one["id"] for one in told] == [1, 2, None, 4, 5]
    assert [one.get("loads") for one in told] == [{"ann": 1}, None, None, None, {"ann": 1}]
    assert [one.get("index") for one in told] == [None, 1, 2, 3, None]
    fields = [one["error"]["errors"][0]["field"] for one in told if "error" in one]
    assert fields == ["config.strategy", "body", "agents[0].capcity"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (a_scenario(config={"strategy": "best"}), "config.strategy"),
        (a_scenario(actions=[{"type": "jump"}]), "actions[0].type"),
        ({"id": "s"}, "agents"),
    ],
)
async def test_a_single_bad_one_is_a_problem_that_names_the_field(
    office: Office, body: dict[str, Any], field: str
) -> None:
    answer = await office.ask("POST", PATH, body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field


async def test_a_customer_may_not_ask(office: Office) -> None:
    answer = await office.ask("POST", PATH, a_scenario(), role=Role.CUSTOMER)
    assert answer.status_code == 403


@pytest.mark.parametrize("seed", range(5))
async def test_the_service_does_what_the_simulation_said(office: Office, seed: int) -> None:
    """A random day, first in the service with its tables, then as a scenario."""
    chance = random.Random(seed)
    strategy = STRATEGIES[seed % len(STRATEGIES)]
    sharing: dict[str, Any] = {
        "sticky_seconds": 3_600,
        "rate_limit": {"count": 4, "seconds": 3_600},
    }
    day = Day(office, chance)
    await office.ready(*day.agents, capacity=3)
    await office.done(
        "PUT", "/v1/groups/support", {"name": "Support", "strategy": strategy, **sharing}
    )
    for _ in range(40):
        await day.step()
    answer = await office.done(
        "POST",
        PATH,
        {
            "config": {"strategy": strategy, "capacity_default": 3, **sharing},
            # They came one after the other and have had nothing, in the order of their turns.
            "agents": [
                {"id": name, "idle_since": f"2026-01-01T00:00:0{place}Z"}
                for place, name in enumerate(day.agents)
            ],
            "start_at": "2026-01-02T00:00:00Z",
            "actions": day.actions,
        },
    )
    loads = await office.rows("SELECT agent_id, load FROM agents")
    assert answer["loads"] == {row["agent_id"]: row["load"] for row in loads}
    told: dict[str, list[Any]] = {}
    for done in answer["results"]:
        for one in done["decisions"]:
            if one["outcome"] in {"assigned", "queued"}:
                told.setdefault(one["ticket"], []).append((one.get("agent"), one["why"]))
    for ticket, name in day.names.items():
        happened = [
            (getattr(one, "agent_id", None), one.why)
            for one in await office.events(ticket)
            if isinstance(one, TicketAssigned | TicketQueued)
        ]
        assert [agent for agent, _ in told.get(name, [])] == [agent for agent, _ in happened]
    waiting = await office.done("GET", "/v1/queue/tickets?limit=100")
    assert [one["ticket"] for one in answer["queue"]] == [
        day.names[UUID(one["ticket_id"])] for one in waiting["tickets"]
    ]
    assert [one["reasons"] for one in answer["queue"]] == [
        one["reasons"] for one in waiting["tickets"]
    ]


class Day:
    """Random steps, each done in the service and written down as an action, a second after the one before."""

    def __init__(self, office: Office, chance: random.Random) -> None:
        self.office = office
        self.chance = chance
        self.agents = ("ann", "bob", "cyd")
        self.actions: list[dict[str, Any]] = []
        self.names: dict[UUID, str] = {}

    async def step(self) -> None:
        what = self.chance.choice(
            ["open"] * 4 + ["solve"] * 2 + ["presence", "leave", "unassign", "give"]
        )
        if what == "open":
            await self._open()
        elif what == "presence":
            agent = self.chance.choice(self.agents)
            presence = self.chance.choice(["online", "away", "online"])
            await self.office.done("POST", f"/v1/agents/{agent}/presence", {"presence": presence})
            self._said("presence", agent=agent, presence=presence)
        elif what == "leave":
            agent, away = self.chance.choice(self.agents), {"presence": "away", "reassign": True}
            await self.office.done("POST", f"/v1/agents/{agent}/presence", away)
            self._said("presence", agent=agent, **away)
        elif self.names:
            await self._about(what, self.chance.choice(list(self.names)))

    async def _open(self) -> None:
        from msgspec.structs import replace

        from shared.events.tickets import Person

        customer, priority = (
            self.chance.choice(["cora", "dave"]),
            self.chance.choice(list(Priority)),
        )
        event = replace(self.office.tickets.opened(priority=priority), requester=Person(customer))
        self.names[event.ticket_id] = name = f"t{len(self.names)}"
        await self.office.hear(event)
        self._said("assign", ticket=name, priority=priority.value, customer=customer)

    async def _about(self, what: str, ticket: UUID) -> None:
        name = self.names[ticket]
        if what == "solve":
            if self.office.tickets.category[ticket] is not StatusCategory.SOLVED:
                await self.office.moved(ticket, StatusCategory.SOLVED)
                self._said("resolve", ticket=name)
        elif what == "unassign":
            await self.office.done("POST", f"/v1/tickets/{ticket}/unassign")
            self._said("unassign", ticket=name)
        else:
            agent = self.chance.choice(self.agents)
            await self.office.done("POST", f"/v1/tickets/{ticket}/assign", {"agent_id": agent})
            self._said("reassign", ticket=name, agent=agent)

    def _said(self, type_: str, **fields: Any) -> None:
        self.actions.append({"type": type_, "at": len(self.actions) + 1, **fields})
