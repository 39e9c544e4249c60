"""The pages over the same fixtures as the reading side's API."""

import pytest

from services.query.web.directory import Directory
from shared.service import Service
from tests.integration.query.conftest import issuer, own_database, reader, service, settings

__all__ = ["issuer", "own_database", "reader", "service", "settings"]


@pytest.fixture(autouse=True)
def no_names_of_an_earlier_test(request: pytest.FixtureRequest) -> None:
    """Tests share one service; names that it remembers for some seconds are of emptied tables."""
    if "reader" in request.fixturenames:
        serving: Service = request.getfixturevalue("service")
        serving.api.state.page_directory = Directory()
