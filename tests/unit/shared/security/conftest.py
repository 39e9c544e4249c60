"""Issuers and verifiers."""

import pytest

from shared.security import LocalIssuer, TokenVerifier
from shared.security.keys import FileKeys


@pytest.fixture(scope="session")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> LocalIssuer:
    return LocalIssuer(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def verifier(issuer: LocalIssuer) -> TokenVerifier:
    return TokenVerifier(FileKeys(issuer.jwks_file), issuer=issuer.issuer, audience=issuer.audience)
