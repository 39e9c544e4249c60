"""The lake over the same fixtures as the reading side, in a folder and in a bucket."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.query.conftest import issuer, own_database, reader, service, settings
from tests.support.s3 import KEY, REGION, client_of, s3_server

__all__ = ["issuer", "own_database", "reader", "service", "settings"]


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    with s3_server() as endpoint:
        client_of(endpoint, bucket="lakes")
        yield endpoint


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "folder":
        return str(tmp_path / "lake")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEY)
    endpoint: str = request.getfixturevalue("s3").removeprefix("http://")
    return f"s3://lakes/{tmp_path.name}?region={REGION}&scheme=http&endpoint_override={endpoint}"
