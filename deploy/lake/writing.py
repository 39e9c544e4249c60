"""Bringing a lake up to date: what changed since its manifest, merged month by month, committed at once."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final
from uuid import uuid4

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from deploy.lake.manifest import Content, File, Lake, Manifest
from deploy.lake.source import Snapshot, selected, snapshot_of
from deploy.local.problems import CannotStart
from services.query.views.export.entities import ENTITIES, Entity

WHOLE: Final[dict[str, str]] = {
    "dim_channel": "channel",
    "dim_date": "date_day",
    "dim_policy": "policy_version_id",
    "dim_calendar": "calendar_version_id",
    "dim_customer": "requester_id",
    "dim_organisation": "organization_name",
    "fct_agent_day": "agent_day_id",
}
"""Views that are sums or short lists: written anew by every run. View → its key."""

NAMES: Final = (*ENTITIES, *WHOLE)
_ROW_GROUP: Final = 100_000
_NO_MONTH: Final = "none"


class Written(msgspec.Struct, frozen=True):
    """What a run did: the manifest it left, rows read from the database per entity, whether it began anew and why."""

    manifest: Manifest
    read: dict[str, int]
    anew: str | None


def export(
    url: str,
    lake: Lake,
    *,
    entities: Sequence[str] = (),
    since_last: bool = True,
    say: Callable[[str, int], None] = lambda _name, _rows: None,
) -> Written:
    """Make the lake equal to the database as of now.

    Args:
        url: of the database, as `bi_reader`.
        lake: where.
        entities: only these; the others stay as they are. None: all.
        since_last: read only what changed since the lake's manifest; else everything.
        say: told after each entity, with the rows read.

    Raises:
        CannotStart: an unknown entity, or a database or place that cannot be used.
    """
    if unknown := sorted(set(entities) - set(NAMES)):
        raise CannotStart(f"no entity {', '.join(unknown)}; there are {', '.join(NAMES)}")
    with snapshot_of(url) as snapshot:
        before = lake.newest()
        number = before.number + 1 if before else 1
        run = f"{number:06d}-{uuid4().hex[:8]}"
        base, anew = _base(lake, before, snapshot, since_last=since_last)
        content = dict(base)
        read: dict[str, int] = {}
        for name in entities or NAMES:
            writer = _Writer(lake, name, run)
            content[name], read[name] = _update(snapshot, writer, name, base.get(name))
            say(name, read[name])
            manifest = Manifest(number, snapshot.origin, snapshot.as_of, dict(content))
            lake.keep_progress(manifest)
        manifest = Manifest(number, snapshot.origin, snapshot.as_of, content)
        lake.commit(manifest)
    return Written(manifest, read, anew)


def _base(
    lake: Lake, before: Manifest | None, snapshot: Snapshot, *, since_last: bool
) -> tuple[dict[str, Content], str | None]:
    """What is there and can be built upon; and why not, when it cannot."""
    if not since_last:
        return {}, "asked to"
    progress = lake.progress()
    number = before.number if before else 0
    last = progress if progress is not None and progress.number == number + 1 else before
    if last is None:
        return {}, "there was no lake"
    if last.origin != snapshot.origin:
        return {}, "the lake is a copy of another database"
    if any((one.position or 0) > snapshot.horizon for one in last.entities.values()):
        return {}, "the database was set back to an older state"
    return dict(last.entities), None


def _update(
    snapshot: Snapshot, writer: "_Writer", name: str, old: Content | None
) -> tuple[Content, int]:
    columns = snapshot.columns(name)
    shape = tuple(columns.items())
    chosen = selected(columns)
    entity = ENTITIES.get(name)
    if entity is None:
        with snapshot.batches(f"SELECT {chosen} FROM bi.{name}") as batches:  # noqa: S608 - our own names
            rows = writer.write(batches, None)
        return Content(WHOLE[name], None, shape, tuple(writer.files)), rows
    if old is not None and (old.columns != shape or old.position is None):
        old = None
    since = old.position if old is not None and old.position is not None else 0
    moved = (
        "true" if old is None else f"({entity.changed.format(since=since)} OR {entity.unsettled})"
    )
    query = (
        f"SELECT {chosen} FROM bi.{name}"  # noqa: S608 - our own names and numbers
        f" WHERE {moved} AND export_position < {snapshot.horizon}"
    )
    gone = _gone(snapshot, entity, since) if old is not None else []
    with snapshot.batches(query) as batches:
        if old is None:
            rows = writer.write(batches, entity.day)
            files = writer.files
        else:
            rows, files = writer.merge(batches, entity, old, gone)
    return Content(entity.key, snapshot.horizon, shape, tuple(files)), rows


def _gone(snapshot: Snapshot, entity: Entity, since: int) -> list[str]:
    found = snapshot.rows(
        f"SELECT key FROM bi.export_tombstone WHERE source = '{entity.source}'"  # noqa: S608 - our own names and numbers
        f" AND export_position >= {since} AND export_position < {snapshot.horizon}"
    )
    return [row["key"] for row in found]


class _Writer:
    """The new files of one entity; each month has its own, open at the same time.

    Their names begin with the run's: one that goes on where a killed one stopped has the same number, and reads that
    one's files while it writes its own.
    """

    def __init__(self, lake: Lake, name: str, run: str) -> None:
        self._lake, self._name, self._run = lake, name, run
        self._open: dict[str, tuple[str, pq.ParquetWriter, list[int]]] = {}
        self.files: list[File] = []

    def write(self, batches: pa.RecordBatchReader, day: str | None) -> int:
        """All rows, divided by the month of `day`; returns their number."""
        rows = 0
        for batch in batches:
            rows += batch.num_rows
            for part, piece in _by_month(batch, day):
                self._add(part, piece)
        if not rows and not self._open:
            self._add("", pa.RecordBatch.from_pylist([], schema=batches.schema))
        self._close()
        return rows

    def merge(
        self, batches: pa.RecordBatchReader, entity: Entity, old: Content, gone: list[str]
    ) -> tuple[int, list[File]]:
        """Only the months in which something changed are written anew; in memory are the changes and one row group."""
        changed = batches.read_all()
        keys = pa.concat_arrays(
            [
                *changed[entity.key].chunks,
                pa.array(gone, type=changed.schema.field(entity.key).type),
            ]
        )
        if not len(keys):
            return 0, list(old.files)
        for batch in changed.to_batches(max_chunksize=_ROW_GROUP):
            for part, piece in _by_month(batch, entity.day):
                self._add(part, piece)
        touched = set(self._open)
        kept: list[File] = []
        for file in old.files:
            # A key never changes its month; only for what is gone the month is not known.
            if (
                file.part in touched
                or (gone and self._holds(file, entity.key, gone))
                or not file.rows
            ):
                for batch in self._rows(file):
                    rest = batch.filter(pc.invert(pc.is_in(batch[entity.key], value_set=keys)))
                    if rest.num_rows:
                        self._add(file.part, rest)
            else:
                kept.append(file)
        if not self._open and not kept:
            self._add("", pa.RecordBatch.from_pylist([], schema=changed.schema))
        self._close()
        return changed.num_rows, [*kept, *self.files]

    def _rows(self, file: File) -> Iterator[pa.RecordBatch]:
        with self._lake.filesystem.open_input_file(self._lake.path(file.path)) as opened:
            yield from pq.ParquetFile(opened).iter_batches(_ROW_GROUP)

    def _holds(self, file: File, key: str, gone: list[str]) -> bool:
        with self._lake.filesystem.open_input_file(self._lake.path(file.path)) as opened:
            there = pq.read_table(opened, columns=[key])[key]
            wanted = pa.array(gone, type=there.type)
            return bool(pc.any(pc.is_in(there, value_set=wanted)).as_py())

    def _add(self, part: str, batch: pa.RecordBatch) -> None:
        if part not in self._open:
            folder = f"{self._name}/month={part}" if part else self._name
            path = f"{folder}/{self._run}-{len(self._open)}.parquet"
            self._lake.make_folder(folder)
            writer = pq.ParquetWriter(
                self._lake.path(path),
                batch.schema,
                compression="zstd",
                filesystem=self._lake.filesystem,
            )
            self._open[part] = path, writer, [0]
        _, writer, rows = self._open[part]
        writer.write_batch(batch)
        rows[0] += batch.num_rows

    def _close(self) -> None:
        for part, (path, writer, rows) in self._open.items():
            writer.close()
            self.files.append(File(path, rows[0], part))


def _by_month(batch: pa.RecordBatch, day: str | None) -> Iterator[tuple[str, pa.RecordBatch]]:
    if day is None:
        if batch.num_rows:
            yield "", batch
        return
    months = pc.fill_null(pc.strftime(batch[day], format="%Y-%m"), _NO_MONTH)
    for month in pc.unique(months):
        yield month.as_py(), batch.filter(pc.equal(months, month))
