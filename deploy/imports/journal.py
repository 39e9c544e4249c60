"""Which chunks of an import are done, kept on disk: makes going on after an interruption fast, decides nothing."""

import os
from hashlib import blake2b
from pathlib import Path
from typing import IO, Self


class Journal:
    """Digests of what was sent and answered. A chunk not in here is sent again, which changes nothing.

    Args:
        path: of the file; it is there only while an import is unfinished.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._done: set[str] = set()
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        """Read what is there; a line cut off by a crash is no digest of anything and does no harm."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if self._path.exists():
            self._done = set(self._path.read_text(errors="replace").split())
        self._open("a")
        return self

    def __exit__(self, *_: object) -> None:
        """Keep it for the next try."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __len__(self) -> int:
        """How many chunks are noted."""
        return len(self._done)

    def has(self, digest: str) -> bool:
        """Whether these very bytes were sent and answered."""
        return digest in self._done

    def note(self, digest: str) -> None:
        """They were."""
        assert self._file is not None, "used inside `with`"
        self._done.add(digest)
        self._file.write(f"\n{digest}")
        self._file.flush()

    def forget(self) -> None:
        """Begin anew: it speaks of an installation that is no more."""
        self._done.clear()
        self.__exit__()
        self._open("w")

    def finish(self) -> None:
        """The import is complete: nothing is left to go on with."""
        self.__exit__()
        self._path.unlink(missing_ok=True)

    def _open(self, mode: str) -> None:
        descriptor = os.open(
            self._path,
            os.O_WRONLY | os.O_CREAT | (os.O_APPEND if mode == "a" else os.O_TRUNC),
            0o600,
        )
        self._file = os.fdopen(descriptor, "w", encoding="ascii")


def digest_of(where: str, lines: list[bytes]) -> str:
    """What names these lines, sent to `where`."""
    digest = blake2b(where.encode(), digest_size=16)
    for line in lines:
        digest.update(b"\n")
        digest.update(line)
    return digest.hexdigest()
