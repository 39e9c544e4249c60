"""What a lake consists of: a manifest names every file, and replacing the manifest is the commit.

DIR/_manifests/000007.json      the newest number is the lake; the one before stays for readers under way
DIR/_manifests/progress.json    what an interrupted run had finished
DIR/fct_ticket/month=2026-03/000007-5f0c1a9e-0.parquet      the number, the run, the place among its files
DIR/lake.sql                    the views of the newest manifest for DuckDB
"""

from datetime import datetime
from typing import Any, Final

import msgspec
import pyarrow.fs as pafs

from deploy.local.problems import CannotStart

MANIFESTS: Final = "_manifests"
PROGRESS: Final = f"{MANIFESTS}/progress.json"
FORMAT: Final = 1


class File(msgspec.Struct, frozen=True):
    """A Parquet file, relative to the lake; `part` is the month it holds, or empty."""

    path: str
    rows: int
    part: str = ""


class Content(msgspec.Struct, frozen=True):
    """One entity.

    Attributes:
        key: the column that names a row.
        position: everything committed below it is in the files; None: written anew by every run.
        columns: names and Arrow types; another list makes the entity be written anew.
        files: all of them.
    """

    key: str
    position: int | None
    columns: tuple[tuple[str, str], ...]
    files: tuple[File, ...]

    @property
    def rows(self) -> int:
        """Rows of all files."""
        return sum(file.rows for file in self.files)


class Manifest(msgspec.Struct, frozen=True):
    """The whole lake as of one moment.

    Attributes:
        number: 1, 2, 3 …
        origin: which database it is a copy of.
        as_of: the moment of the snapshot.
        entities: name → content.
    """

    number: int
    origin: str
    as_of: datetime
    entities: dict[str, Content]
    format: int = FORMAT


class Lake:
    """A folder or bucket.

    Args:
        place: a path, or an address that pyarrow knows (`s3://bucket/folder?region=…`, `file:///…`).

    Raises:
        CannotStart: the address cannot be used.
    """

    def __init__(self, place: str) -> None:
        self.place = place
        try:
            if "://" in place:
                self.filesystem, self.root = pafs.FileSystem.from_uri(place)
            else:
                from pathlib import Path  # noqa: PLC0415 - only local lakes have one

                self.filesystem, self.root = pafs.LocalFileSystem(), str(Path(place).resolve())
        except (OSError, ValueError) as error:
            raise CannotStart(f"{place} is no place for a lake: {error}") from None
        self.is_local = isinstance(self.filesystem, pafs.LocalFileSystem)

    def path(self, name: str) -> str:
        """The whole path of something in the lake."""
        return f"{self.root}/{name}"

    def make_folder(self, name: str) -> None:
        """So that files can be put into it; buckets have none."""
        if self.is_local:
            self.filesystem.create_dir(self.path(name), recursive=True)

    def newest(self) -> Manifest | None:
        """The lake as it is; None: there is none yet.

        Raises:
            CannotStart: the manifest is of a later version, or damaged.
        """
        numbers = self._numbers()
        return self._read(f"{MANIFESTS}/{numbers[-1]:06d}.json") if numbers else None

    def progress(self) -> Manifest | None:
        """What an interrupted run had finished."""
        info = self.filesystem.get_file_info(self.path(PROGRESS))
        return self._read(PROGRESS) if info.type == pafs.FileType.File else None

    def keep_progress(self, manifest: Manifest) -> None:
        """Remember what is finished; the lake itself stays as it was."""
        self.replace(PROGRESS, msgspec.json.encode(manifest))

    def commit(self, manifest: Manifest) -> None:
        """From now on the lake is this. Files that only older manifests than the one before name are removed."""
        before = self.newest()
        self.replace(
            f"{MANIFESTS}/{manifest.number:06d}.json",
            msgspec.json.format(msgspec.json.encode(manifest), indent=1),
        )
        self._remove(PROGRESS)
        self.replace("lake.sql", views_sql(manifest).encode())
        self._sweep(manifest, before)

    def _sweep(self, manifest: Manifest, before: Manifest | None) -> None:
        kept = {
            file.path
            for one in (manifest, before)
            if one is not None
            for content in one.entities.values()
            for file in content.files
        }
        selector = pafs.FileSelector(self.root, recursive=True)
        for info in self.filesystem.get_file_info(selector):
            name = info.path.removeprefix(f"{self.root}/")
            if name.endswith(".parquet") and name not in kept:
                self.filesystem.delete_file(info.path)
        for number in self._numbers()[:-2]:
            self._remove(f"{MANIFESTS}/{number:06d}.json")

    def _numbers(self) -> list[int]:
        selector = pafs.FileSelector(self.path(MANIFESTS), allow_not_found=True)
        stems = (info.base_name.partition(".") for info in self.filesystem.get_file_info(selector))
        return sorted(int(stem) for stem, _, kind in stems if kind == "json" and stem.isdecimal())

    def _read(self, name: str) -> Manifest:
        with self.filesystem.open_input_file(self.path(name)) as file:
            data: Any = file.read()
        try:
            manifest = msgspec.json.decode(data, type=Manifest)
        except msgspec.DecodeError as error:
            raise CannotStart(f"{self.path(name)} is damaged: {error}") from None
        if manifest.format != FORMAT:
            raise CannotStart(
                f"{self.path(name)} has format {manifest.format}; this program knows {FORMAT}"
            )
        return manifest

    def replace(self, name: str, data: bytes) -> None:
        """All or nothing: a rename on disks; object stores show an object when it is whole."""
        self.make_folder(name.rpartition("/")[0])
        target = self.path(name)
        beside = f"{target}.new" if self.is_local else target
        with self.filesystem.open_output_stream(beside) as out:
            out.write(data)
        if beside != target:
            self.filesystem.move(beside, target)

    def _remove(self, name: str) -> None:
        if self.filesystem.get_file_info(self.path(name)).type == pafs.FileType.File:
            self.filesystem.delete_file(self.path(name))


def views_sql(manifest: Manifest, root: str = ".") -> str:
    """Views of schema `bi` over the files, for DuckDB."""
    lines = [
        f"-- The lake as of {manifest.as_of:%Y-%m-%d %H:%M:%S} UTC. In its folder: duckdb -init lake.sql",
        "CREATE SCHEMA IF NOT EXISTS bi;",
    ]
    for name, content in manifest.entities.items():
        files = ", ".join(f"'{root}/{file.path}'".replace("\n", "") for file in content.files)
        lines.append(
            f"CREATE OR REPLACE VIEW bi.{name} AS SELECT * FROM"  # noqa: S608 - names of our own
            f" read_parquet([{files}], hive_partitioning = false);"
        )
    # A statement for `ticketing report --sql` or PostgreSQL's schema `bi` then runs there as it is.
    lines.append("SET search_path = 'bi';")
    return "\n".join(lines) + "\n"
