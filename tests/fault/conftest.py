"""A product of its own for each fault: what is broken here must not disturb another test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.product import Product, a_product


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Product]:
    with a_product(tmp_path / "product") as running:
        admin = running.door("admin", "set-up")
        admin.call("PUT", "/v1/groups/desk", {"name": "Desk", "strategy": "least_loaded"})
        admin.call("PUT", "/v1/routing/rules", {"rules": [], "default_group": "desk"})
        profile = {"name": "Anna", "groups": ["desk"], "presence": "online"}
        admin.call("PUT", "/v1/agents/anna", profile)
        yield running
