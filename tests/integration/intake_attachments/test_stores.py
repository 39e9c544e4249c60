"""The folder, and a real S3 server: the same promises."""

import asyncio
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from services.intake.attachments.store import (
    AttachmentStore,
    BucketStore,
    ContentIsMissing,
    FolderStore,
    StoreIsAway,
)
from shared.security import Role
from shared.security.issuer import LocalIssuer
from tests.integration.intake.desk import Caller
from tests.integration.intake_mail.post import open_post
from tests.support.database import Database
from tests.support.s3 import KEY, REGION, client_of, s3_server


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    with s3_server() as endpoint:
        yield endpoint


def a_bucket(endpoint: str) -> BucketStore:
    return BucketStore("files", endpoint=endpoint, region=REGION, key_id=KEY, secret=KEY)


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> AttachmentStore:
    if request.param == "folder":
        return FolderStore(tmp_path / "files")
    endpoint = request.getfixturevalue("s3")
    client_of(endpoint, bucket="files")
    return a_bucket(endpoint)


def hashed(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


async def read(store: AttachmentStore, sha256: str) -> bytes:
    return b"".join([piece async for piece in await store.read(sha256)])


async def test_what_was_put_is_read_back_and_putting_it_again_changes_nothing(
    store: AttachmentStore, tmp_path: Path
):
    content = os.urandom(12_000_000)  # several parts of an upload
    file = tmp_path / "given"
    file.write_bytes(content)
    await store.put(hashed(content), file)
    await store.put(hashed(content), content)
    assert await read(store, hashed(content)) == content


async def test_what_was_never_put_is_missing(store: AttachmentStore):
    with pytest.raises(ContentIsMissing):
        await store.read(hashed(b"never"))


async def test_many_put_the_same_at_once(store: AttachmentStore):
    content = os.urandom(100_000)
    await asyncio.gather(*(store.put(hashed(content), content) for _ in range(10)))
    assert await read(store, hashed(content)) == content


async def test_an_empty_file_is_a_file(store: AttachmentStore):
    await store.put(hashed(b""), b"")
    assert await read(store, hashed(b"")) == b""


async def test_a_folder_that_cannot_be_written_says_that_the_store_is_away(tmp_path: Path):
    (tmp_path / "files").write_text("a file where the folder should be")
    with pytest.raises(StoreIsAway):
        await FolderStore(tmp_path / "files").put(hashed(b"x"), b"x")


async def test_a_folder_holds_nothing_half_written(tmp_path: Path):
    store = FolderStore(tmp_path)
    with pytest.raises(StoreIsAway):
        await store.put(hashed(b"x"), tmp_path / "no such source")
    assert not [one for one in tmp_path.rglob("*") if one.is_file()]  # noqa: ASYNC240


async def test_a_service_with_a_bucket_keeps_its_files_there(
    database: Database, issuer: LocalIssuer, s3: str, tmp_path: Path
):
    client, content = client_of(s3, bucket="files"), os.urandom(12_000_000)
    bucket = {
        "attachments_bucket": "files",
        "attachments_endpoint": s3,
        "attachments_region": REGION,
        "attachments_key_id": KEY,
        "attachments_secret": SecretStr(KEY),
    }
    async with open_post(database, issuer, None, tmp_path, **bucket) as desk:
        ben = Caller(desk, issuer.issue("ben", Role.CUSTOMER))
        kept = await ben.post(
            "/v1/attachments?name=a.bin", content, content_type="application/octet-stream"
        )
        assert kept.status_code == 201, kept.text
        ticket = (await ben.open(attachments=[kept.json()["id"]]))["ticket_id"]
        files = await ben.send("GET", f"/v1/tickets/{ticket}/attachments")
        (file,) = files.json()["attachments"]
        assert (await desk.http.get(file["url"])).content == content
    sha256 = hashed(content)
    stored = client.get_object(
        Bucket="files", Key=f"attachments/{sha256[:2]}/{sha256[2:4]}/{sha256}"
    )
    assert stored["Body"].read() == content
    assert await asyncio.to_thread(lambda: [*tmp_path.iterdir()]) == []
