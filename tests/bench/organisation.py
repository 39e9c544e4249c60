"""The organisation that the load works for: enough agents for every ticket, and promises of known length."""

from typing import Any, Final

from tests.bench.product import Product
from tests.bench.scale import Scale

POLICY: Final = "bench"
_GROUPS: Final = ("service-desk", "technical")
_AGENTS: Final = 20
_HOUR: Final = 3_600


def policy(scale: Scale) -> dict[str, Any]:
    """Urgent tickets are due within the run, all others long after it. No warnings: only deadlines speak."""
    return {
        "name": "Bench",
        "targets": [
            {"metric": "first_reply", "priority": "urgent", "seconds": scale.target_seconds},
            {"metric": "first_reply", "seconds": 4 * _HOUR},
            {"metric": "resolution", "priority": "normal", "seconds": 24 * _HOUR},
        ],
        "warnings": [],
    }


def organise(product: Product, scale: Scale) -> None:
    """Define it through the services' own addresses; saying it again changes nothing."""
    with product.door("sla") as sla:
        sla.call("PUT", f"/v1/policies/{POLICY}", policy(scale))
    with product.door("routing") as routing:
        for group in _GROUPS:
            routing.call("PUT", f"/v1/groups/{group}", {"name": group, "strategy": "least_loaded"})
        rule = {
            "id": "urgent",
            "group": "technical",
            "when": [{"field": "priority", "op": "gte", "value": "high"}],
        }
        routing.call("PUT", "/v1/routing/rules", {"rules": [rule], "default_group": "service-desk"})
        for number in range(_AGENTS):
            profile = {
                "name": f"Agent {number}",
                "groups": [_GROUPS[number % len(_GROUPS)]],
                "capacity": None,  # the creates before leave a hundred thousand open tickets behind
                "presence": "online",
            }
            routing.call("PUT", f"/v1/agents/agent-{number}", profile)
