"""One product for everything that is done to one; each test finds it whole, whatever the one before has broken."""

from collections.abc import Iterator

import pytest

from tests.support.product import SERVERS, Product, a_product


@pytest.fixture(scope="package")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    with a_product(tmp_path_factory.mktemp("outages") / "product") as made:
        admin = made.door("admin", "set-up")
        admin.call("PUT", "/v1/groups/desk", {"name": "Desk", "strategy": "least_loaded"})
        admin.call("PUT", "/v1/routing/rules", {"rules": [], "default_group": "desk"})
        profile = {"name": "Anna", "groups": ["desk"], "presence": "online", "capacity": None}
        admin.call("PUT", "/v1/agents/anna", profile)
        yield made


@pytest.fixture
def product(running: Product) -> Product:
    for server in SERVERS:
        if not running.child(server).is_running():
            running.start_again(server)
    running.wait_until_ready()
    return running
