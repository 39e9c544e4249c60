"""NDJSON through a filter: lines in from a file or standard input, one answer a line out, as soon as they come."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec

from deploy.local.problems import CannotStart
from shared.http.limits import TooLarge

LINE_BYTES_MAX: Final = 16 * 1024 * 1024
"""What the HTTP interface takes as a whole body."""
_CHUNK_BYTES: Final = 64 * 1024
_BOM: Final = b"\xef\xbb\xbf"
_STDIN: Final = Path("-")

Answer = Callable[[bytes, int], dict[str, Any]]
Refuse = Callable[[int, TooLarge], dict[str, Any]]


def filter_lines(file: Path, answer: Answer, refuse: Refuse) -> None:
    """Answer every line that is not blank; how many were refused is said on standard error at the end.

    Whoever writes a line and waits for its answer gets it: what has come is answered before more is read.

    Args:
        file: where the lines come from; `-` is standard input.
        answer: from a line and its place (from 0) to its answer, which has `error` if it was refused.
        refuse: the answer to a line that is too long to be read.

    Raises:
        CannotStart: the file cannot be read.
    """
    encoder = msgspec.json.Encoder()
    out = sys.stdout.buffer
    index = refused = 0
    try:
        with _opened(file) as source:
            for lines in _split(source):
                answers = bytearray()
                for line in lines:
                    if line is None:
                        reason = f"A line may have at most {LINE_BYTES_MAX} bytes."
                        told = refuse(index, TooLarge(reason, field=f"line[{index}]"))
                    else:
                        told = answer(line, index)
                    index += 1
                    refused += "error" in told
                    answers += encoder.encode(told)
                    answers += b"\n"
                out.write(answers)
                out.flush()
    except BrokenPipeError:
        # Whoever read the answers has had enough; Python would complain when it flushes once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return
    if refused:
        sys.stderr.write(f"{refused} of {index} lines refused\n")


def _split(source: BinaryIO) -> Iterator[list[bytes | None]]:
    """The lines of each chunk as it comes, without blank ones; None for one that is too long."""
    rest = b""
    is_first, is_skipping = True, False
    while chunk := source.read1(_CHUNK_BYTES):  # type: ignore[attr-defined]  # buffered readers have it
        if is_first:
            chunk, is_first = chunk.removeprefix(_BOM), False
        *whole, rest = (rest + chunk).split(b"\n")
        found: list[bytes | None] = []
        for line in whole:
            if is_skipping:
                is_skipping = False
            elif stripped := line.strip():
                found.append(stripped if len(stripped) <= LINE_BYTES_MAX else None)
        if len(rest) > LINE_BYTES_MAX or is_skipping:
            if not is_skipping:
                found.append(None)
            is_skipping, rest = True, b""
        if found:
            yield found
    if not is_skipping and (stripped := rest.strip()):
        yield [stripped]


@contextmanager
def _opened(file: Path) -> Iterator[BinaryIO]:
    if file == _STDIN:
        yield sys.stdin.buffer
        return
    try:
        source = file.open("rb")
    except OSError as error:
        raise CannotStart(f"{file} cannot be read: {error.strerror}") from None
    with source:
        yield source
