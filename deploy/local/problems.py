"""What can keep the embedded stack from starting, each said in one line that names the remedy."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

FREE_BYTES_MIN: Final = 1 << 30
"""Kafka alone preallocates index files for every partition; below 1 GiB the first hour would fill the disk."""


class CannotStart(Exception):
    """The stack cannot start; the message is one line for the person at the keyboard."""


def require_disk(folder: Path) -> None:
    """Refuse to begin on a nearly full disk.

    Raises:
        CannotStart: less than `FREE_BYTES_MIN` is free where `folder` lives.
    """
    free = shutil.disk_usage(folder).free
    if free < FREE_BYTES_MIN:
        raise CannotStart(
            f"disk nearly full: {free >> 20} MiB free where {folder} lives, at least "
            f"{FREE_BYTES_MIN >> 20} MiB needed; free some space or set TICKETING_HOME to a folder elsewhere"
        )


@contextmanager
def disk_errors_in_words(folder: Path) -> Iterator[None]:
    """Turn the two operating-system errors a person can act on into `CannotStart`."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise CannotStart(
                f"disk full while writing {error.filename or folder}; free some space or set TICKETING_HOME"
            ) from error
        if error.errno in {errno.EACCES, errno.EROFS}:
            raise CannotStart(
                f"not allowed to write {error.filename or folder}; set TICKETING_HOME to a folder of yours"
            ) from error
        raise
