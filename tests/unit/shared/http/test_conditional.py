"""`If-Match` names a version or is refused."""

import httpx2
import pytest
from fastapi import FastAPI

from shared.http.conditional import ExpectedVersion, etag


@pytest.fixture
def asking(api: FastAPI, client: httpx2.AsyncClient) -> httpx2.AsyncClient:
    @api.get("/expected")
    async def expected(version: ExpectedVersion) -> int | None:
        return version

    return client


@pytest.mark.parametrize(
    ("header", "version"), [('"7"', 7), ('W/"7"', 7), (' "12" ', 12), ("*", None), (None, None)]
)
async def test_a_version_is_read(
    asking: httpx2.AsyncClient, header: str | None, version: int | None
) -> None:
    headers = {} if header is None else {"If-Match": header}
    assert (await asking.get("/expected", headers=headers)).json() == version


@pytest.mark.parametrize(
    "header", ["7", '"seven"', '"7", "8"', '""', "", '"-1"', 'w/"7"', '"%s"' % ("9" * 19), '"²"']
)
async def test_anything_else_is_refused(asking: httpx2.AsyncClient, header: str) -> None:
    answer = await asking.get("/expected", headers={"If-Match": header.encode()})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "header If-Match"


async def test_what_we_give_out_comes_back(asking: httpx2.AsyncClient) -> None:
    assert (await asking.get("/expected", headers={"If-Match": etag(31)})).json() == 31
