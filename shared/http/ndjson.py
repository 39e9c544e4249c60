"""Newline-delimited JSON: a request of many lines read as it comes, an answer of many lines."""

from collections.abc import AsyncIterable, AsyncIterator
from typing import Any, Final, Generic, TypeVar

import msgspec
from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from shared.errors import Refused
from shared.http.bodies import decode_json, require_media_type
from shared.http.limits import TooLarge, allow_body

T = TypeVar("T")

MEDIA_TYPE: Final = "application/x-ndjson"

_ACCEPTED: Final = frozenset(
    {MEDIA_TYPE, "application/ndjson", "application/jsonl", "application/x-jsonlines"}
)
_CHUNK_BYTES: Final = 32 * 1024  # one write to the socket carries many small lines
_ENCODER: Final = msgspec.json.Encoder()


class Limits(msgspec.Struct, frozen=True):
    """How much one request may carry."""

    lines: int = 10_000
    line_bytes: int = 512 * 1024
    total_bytes: int = 16 * 1024 * 1024


_DEFAULT: Final = Limits()


class Line(msgspec.Struct, Generic[T], frozen=True):
    """One line: its place (from 0, blank lines not counted), its bytes, and its value or why it has none."""

    index: int
    raw: bytes
    value: T | None
    refusal: Refused | None


async def read_lines(
    request: Request,
    type: type[T],  # noqa: A002
    limits: Limits = _DEFAULT,
) -> AsyncIterator[Line[T]]:
    """The lines of the body in order; a malformed line is an item with a refusal, not the end.

    Raises:
        TooLarge: the whole is too large or has too many lines; lines before that were already given out.
        WrongMediaType: the Content-Type says that it is something else.
    """
    require_media_type(request, _ACCEPTED.__contains__, MEDIA_TYPE)
    allow_body(request.scope, limits.total_bytes)
    index = 0
    async for raw, is_whole in _split(request, limits.line_bytes):
        if index == limits.lines:
            raise TooLarge(f"The body may have at most {limits.lines} lines.", field="body")
        yield _line(index, raw, type, None if is_whole else limits.line_bytes)
        index += 1


def ndjson_answer(items: AsyncIterable[Any], *, status: int = 200) -> "LinesResponse":
    """A streaming `application/x-ndjson` answer, one msgspec-encoded item a line.

    An error before the first chunk becomes a problem answer; a later one cuts the connection, so that the caller
    cannot take half an answer for the whole.
    """
    return LinesResponse(_chunks(items), status_code=status, media_type=MEDIA_TYPE)


class LinesResponse(StreamingResponse):
    """Sends its head only when the first chunk is there, and leaves the request's body to whoever reads it.

    Starlette's own listens for the caller's going away by receiving, which would swallow the lines still to be read.
    What was begun for a caller who has gone is finished: commands are not left half done.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive
        try:
            await self.stream_response(send)
        except OSError as gone:  # how ASGI servers tell that nobody listens any more (ASGI 2.4)
            raise ClientDisconnect from gone

    async def stream_response(self, send: Send) -> None:
        """Send the head and all chunks."""
        chunks = aiter(self.body_iterator)
        chunk = await anext(chunks, b"")
        await send(
            {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        )
        while chunk:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            chunk = await anext(chunks, b"")
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _split(request: Request, line_bytes_max: int) -> AsyncIterator[tuple[bytes, bool]]:
    """Lines that are not blank, each with whether it is whole; of a line too long only its being there is kept."""
    rest = b""
    is_skipping = False
    async for chunk in request.stream():
        *lines, rest = (rest + chunk).split(b"\n") if rest else chunk.split(b"\n")
        for line in lines:
            if is_skipping:
                is_skipping = False
                yield b"", False
            elif len(line) > line_bytes_max:
                yield b"", False
            elif stripped := line.strip():
                yield stripped, True
        if is_skipping or len(rest) > line_bytes_max:
            is_skipping, rest = True, b""
    if is_skipping:
        yield b"", False
    elif stripped := rest.strip():
        yield stripped, True


def _line(index: int, raw: bytes, type_: type[T], exceeds: int | None) -> Line[T]:
    if exceeds is not None:
        refusal = TooLarge(f"A line may have at most {exceeds} bytes.", field=f"line[{index}]")
        return Line(index, raw, None, refusal)
    try:
        return Line(index, raw, decode_json(raw, type_), None)
    except Refused as refusal:
        return Line(index, raw, None, refusal)


async def _chunks(items: AsyncIterable[Any]) -> AsyncIterator[bytes]:
    chunk = bytearray()
    async for item in items:
        chunk += _ENCODER.encode(item)
        chunk += b"\n"
        if len(chunk) >= _CHUNK_BYTES:
            yield bytes(chunk)
            chunk.clear()
    if chunk:
        yield bytes(chunk)
