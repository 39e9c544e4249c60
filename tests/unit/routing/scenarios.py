"""Scenarios in short form, and how their outcomes are read."""

import json
from typing import Any

from services.routing.domain.simulation import Outcome, Scenario, simulate
from services.routing.domain.simulation.telling import Done
from shared.http.bodies import decode_json


def a_scenario(*actions: dict[str, Any], agents: Any = ("ann", "bob"), **config: Any) -> Scenario:
    """Agents by name or as they are written; each action as it is written."""
    document = {
        "id": "s",
        "config": config,
        "agents": [{"id": one} if isinstance(one, str) else one for one in agents],
        "actions": actions,
    }
    return decode_json(json.dumps(document).encode(), Scenario)


def played(*actions: dict[str, Any], **more: Any) -> Outcome:
    return simulate(a_scenario(*actions, **more))


def said(done: Done) -> tuple[str, str | None, str]:
    return done.outcome, done.agent, done.code


def do(type_: str, **fields: Any) -> dict[str, Any]:
    return {"type": type_, **fields}


def new(**fields: Any) -> dict[str, Any]:
    return do("assign", **fields)
