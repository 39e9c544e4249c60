"""The lake over the same fixtures as the reading side."""

from tests.integration.query.conftest import issuer, own_database, reader, service, settings

__all__ = ["issuer", "own_database", "reader", "service", "settings"]
