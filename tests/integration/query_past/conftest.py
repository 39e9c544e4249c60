"""The reading side, as the tests of query have it."""

from tests.integration.query.conftest import issuer, own_database, reader, service, settings

__all__ = ["issuer", "own_database", "reader", "service", "settings"]
