"""One product for all stories, which ends with the last of them."""

from collections.abc import Iterator

import pytest

from tests.support.alert_receiver import AlertReceiver
from tests.support.product import Product, a_product


@pytest.fixture(scope="package")
def alerts() -> Iterator[AlertReceiver]:
    with AlertReceiver() as receiver:
        yield receiver


@pytest.fixture(scope="package")
def product(tmp_path_factory: pytest.TempPathFactory, alerts: AlertReceiver) -> Iterator[Product]:
    folder = tmp_path_factory.mktemp("product")
    with a_product(folder, **alerts.environment()) as running:
        admin = running.door("admin", "set-up")
        admin.call("PUT", "/v1/groups/desk", {"name": "Desk", "strategy": "round_robin"})
        admin.call("PUT", "/v1/routing/rules", {"rules": [], "default_group": "desk"})
        for agent in ("anna", "ben"):
            profile = {"name": agent.title(), "groups": ["desk"], "presence": "online"}
            admin.call("PUT", f"/v1/agents/{agent}", profile)
        admin.call(
            "PUT",
            "/v1/policies/standard",
            {
                "name": "Standard",
                "targets": [
                    {"metric": "first_reply", "priority": "urgent", "seconds": 1},
                    {"metric": "first_reply", "seconds": 3600},
                    {"metric": "resolution", "seconds": 86400},
                ],
            },
        )
        yield running
