"""Where the bytes of files are kept, by their hash: in a folder, or with S3 and everything that speaks as it does."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final, Protocol
from uuid import uuid4

import structlog
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import S3Store

from shared.errors import NotFound, NotYet

log = structlog.get_logger(__name__)

CHUNK_BYTES: Final = 256 * 1024
"""Read and sent at a time: large enough for few turns, small enough for many downloads at once."""


class StoreIsAway(NotYet):
    """The store of attachments does not answer; nothing was stored, and asking again will work."""

    def __init__(self) -> None:
        super().__init__("The store of attachments does not answer.", retry_after_seconds=5)


class ContentIsMissing(NotFound):
    """The file is named, and its bytes are not in the store: restore the store from its backup."""

    def __init__(self) -> None:
        super().__init__("The file's content is not in the store.")


class AttachmentStore(Protocol):
    """Content by its SHA-256 (hexadecimal). What is put is durable on return, and is never changed."""

    async def put(self, sha256: str, content: bytes | Path) -> None:
        """Keep this content; nothing happens when it is there already.

        Raises:
            StoreIsAway: it could not be stored now.
        """
        ...

    async def read(self, sha256: str) -> AsyncIterator[bytes]:
        """The content, piece by piece.

        Raises:
            ContentIsMissing: it was never put.
            StoreIsAway: it cannot be read now.
        """
        ...


class FolderStore:
    """A folder: `ab/cd/abcd…`, each file written beside its place, synced, then moved there.

    Args:
        folder: made when it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def put(self, sha256: str, content: bytes | Path) -> None:
        """See `AttachmentStore`."""
        try:
            await asyncio.to_thread(self._put, sha256, content)
        except OSError as error:
            log.error("attachment_not_stored", error=type(error).__name__, reason=str(error))  # noqa: TRY400
            raise StoreIsAway from error

    async def read(self, sha256: str) -> AsyncIterator[bytes]:
        """See `AttachmentStore`."""
        try:
            file = await asyncio.to_thread(self._place(sha256).open, "rb")
        except FileNotFoundError:
            raise ContentIsMissing from None
        except OSError as error:
            raise StoreIsAway from error

        async def pieces() -> AsyncIterator[bytes]:
            with contextlib.closing(file):
                while piece := await asyncio.to_thread(file.read, CHUNK_BYTES):
                    yield piece

        return pieces()

    def _place(self, sha256: str) -> Path:
        return self.folder / sha256[:2] / sha256[2:4] / sha256

    def _put(self, sha256: str, content: bytes | Path) -> None:
        place = self._place(sha256)
        if place.exists():
            return
        place.parent.mkdir(parents=True, exist_ok=True)
        beside = place.with_name(f".{sha256[:16]}.{uuid4().hex}")
        try:
            with beside.open("xb") as file:
                if isinstance(content, Path):
                    with content.open("rb") as source:
                        while piece := source.read(CHUNK_BYTES):
                            file.write(piece)
                else:
                    file.write(content)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(place)
        finally:
            beside.unlink(missing_ok=True)
        _sync_folder(place.parent)


class BucketStore:
    """A bucket of S3, MinIO, Ceph, R2 …, under `attachments/ab/cd/abcd…`.

    Args:
        bucket: its name; it must exist.
        endpoint: URL of the service; None: AWS's own.
        region: of the bucket.
        key_id, secret: None: from the environment or the machine's role, as AWS's own programs do.
    """

    def __init__(
        self,
        bucket: str,
        *,
        endpoint: str | None = None,
        region: str | None = None,
        key_id: str | None = None,
        secret: str | None = None,
    ) -> None:
        said = {
            "endpoint": endpoint,
            "region": region,
            "access_key_id": key_id,
            "secret_access_key": secret,
        }
        self._store = S3Store(
            bucket,
            client_options={"allow_http": endpoint is not None and endpoint.startswith("http://")},
            **{name: value for name, value in said.items() if value is not None},  # type: ignore[arg-type]
        )

    async def put(self, sha256: str, content: bytes | Path) -> None:
        """See `AttachmentStore`."""
        key = _key(sha256)
        try:
            with contextlib.suppress(NotFoundError, FileNotFoundError):
                await self._store.head_async(key)
                return
            await self._store.put_async(key, content)
        except (BaseError, OSError) as error:
            log.error("attachment_not_stored", error=type(error).__name__)  # noqa: TRY400
            raise StoreIsAway from error

    async def read(self, sha256: str) -> AsyncIterator[bytes]:
        """See `AttachmentStore`."""
        try:
            found = await self._store.get_async(_key(sha256))
        except (NotFoundError, FileNotFoundError):
            raise ContentIsMissing from None
        except (BaseError, OSError) as error:
            raise StoreIsAway from error

        async def pieces() -> AsyncIterator[bytes]:
            async for piece in found.stream(min_chunk_size=CHUNK_BYTES):
                yield bytes(piece)

        return pieces()


def _key(sha256: str) -> str:
    return f"attachments/{sha256[:2]}/{sha256[2:4]}/{sha256}"


def _sync_folder(folder: Path) -> None:
    """The name of the file is part of the folder, and must survive a power cut as its bytes do."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
