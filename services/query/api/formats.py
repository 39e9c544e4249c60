"""Rows as NDJSON, CSV, Arrow or Parquet, batch by batch."""

import asyncio
import csv
import io
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import msgspec

from services.query.views.export import Column
from shared.spreadsheets import harmless

if TYPE_CHECKING:
    import pyarrow as pa

Batches = AsyncIterable[Sequence[tuple[Any, ...]]]


class Format(StrEnum):
    """How rows travel."""

    NDJSON = "ndjson"
    CSV = "csv"
    ARROW = "arrow"
    PARQUET = "parquet"


MEDIA_TYPES: Final = {
    Format.NDJSON: "application/x-ndjson",
    Format.CSV: "text/csv; charset=utf-8; header=present",
    Format.ARROW: "application/vnd.apache.arrow.stream",
    Format.PARQUET: "application/vnd.apache.parquet",
}
_ENCODER: Final = msgspec.json.Encoder()


def encoded(format_: Format, columns: Sequence[Column], batches: Batches) -> AsyncIterator[bytes]:
    """The answer's bytes; text from outside never becomes a formula in CSV."""
    match format_:
        case Format.NDJSON:
            return _ndjson(columns, batches)
        case Format.CSV:
            return _csv(columns, batches)
        case Format.ARROW:
            return _arrow(columns, batches)
        case Format.PARQUET:
            return _parquet(columns, batches)


def cell(value: Any) -> Any:
    """A CSV cell: text that a spreadsheet would run gets an apostrophe in front (OWASP: CSV injection)."""
    if isinstance(value, str):
        return harmless(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if hasattr(value, "isoformat") else value


async def _ndjson(columns: Sequence[Column], batches: Batches) -> AsyncIterator[bytes]:
    names = [column.name for column in columns]
    async for batch in batches:
        yield _ENCODER.encode_lines([dict(zip(names, row, strict=True)) for row in batch])


async def _csv(columns: Sequence[Column], batches: Batches) -> AsyncIterator[bytes]:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow([column.name for column in columns])
    async for batch in batches:
        writer.writerows([[cell(value) for value in row] for row in batch])
        yield _taken(text)
    if rest := _taken(text):
        yield rest


def _taken(text: io.StringIO) -> bytes:
    data = text.getvalue().encode()
    text.seek(0)
    text.truncate()
    return data


async def _arrow(columns: Sequence[Column], batches: Batches) -> AsyncIterator[bytes]:
    import pyarrow as pa  # noqa: PLC0415 - 60 MB that a process without such exports does not need

    sink, schema = _Sink(), arrow_schema(columns)
    writer = pa.ipc.new_stream(sink, schema)
    async for batch in batches:
        await asyncio.to_thread(lambda rows: writer.write_batch(_record_batch(schema, rows)), batch)
        yield sink.taken()
    writer.close()
    yield sink.taken()


async def _parquet(columns: Sequence[Column], batches: Batches) -> AsyncIterator[bytes]:
    import pyarrow.parquet as pq  # noqa: PLC0415 - see above

    sink, schema = _Sink(), arrow_schema(columns)
    writer = pq.ParquetWriter(sink, schema, compression="zstd")
    async for batch in batches:
        await asyncio.to_thread(lambda rows: writer.write_batch(_record_batch(schema, rows)), batch)
        if data := sink.taken():
            yield data
    await asyncio.to_thread(writer.close)
    yield sink.taken()


def arrow_schema(columns: Sequence[Column]) -> "pa.Schema":
    """The Arrow types of PostgreSQL's; whatever has none of its own travels as text."""
    import pyarrow as pa  # noqa: PLC0415 - see above

    types = {
        "bigint": pa.int64(),
        "integer": pa.int32(),
        "smallint": pa.int16(),
        "double precision": pa.float64(),
        "boolean": pa.bool_(),
        "timestamp with time zone": pa.timestamp("us", tz="UTC"),
        "date": pa.date32(),
    }
    return pa.schema([(column.name, types.get(column.type, pa.string())) for column in columns])


def _record_batch(schema: "pa.Schema", rows: Sequence[tuple[Any, ...]]) -> "pa.RecordBatch":
    import pyarrow as pa  # noqa: PLC0415 - see above

    arrays = [
        pa.array(
            [str(value) if isinstance(value, UUID) else value for value in values], type=field.type
        )
        for field, values in zip(schema, zip(*rows, strict=True), strict=True)
    ]
    return pa.record_batch(arrays, schema=schema)


class _Sink(io.RawIOBase):
    """Keeps what is written until it is taken; a writer only needs to know how far it is."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        part = bytes(data)
        self._parts.append(part)
        self._size += len(part)
        return len(part)

    def tell(self) -> int:
        return self._size

    def taken(self) -> bytes:
        """Everything since the last call."""
        data = b"".join(self._parts)
        self._parts.clear()
        return data
