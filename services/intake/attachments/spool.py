"""A body that is larger than memory should hold: to a file on disk as it comes, counted and hashed on the way."""

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec

_WRITE_BYTES: Final = 1_048_576


class Spooled(msgspec.Struct, frozen=True):
    """What came: where it lies until the block ends, how large it is, its hash."""

    path: Path
    size: int
    sha256: str


@asynccontextmanager
async def spooled(pieces: AsyncIterator[bytes]) -> AsyncIterator[Spooled]:
    """The whole, on disk, until the end of the block. Who limits the size limits the pieces."""
    with tempfile.NamedTemporaryFile(prefix="upload-") as file:
        digest, size, waiting = hashlib.sha256(), 0, bytearray()

        def write() -> None:
            digest.update(waiting)
            file.write(waiting)
            waiting.clear()

        async for piece in pieces:
            waiting += piece
            size += len(piece)
            if len(waiting) >= _WRITE_BYTES:
                await asyncio.to_thread(write)
        await asyncio.to_thread(write)
        file.flush()
        yield Spooled(Path(file.name), size, digest.hexdigest())
