"""The lake's files as Apache Iceberg tables: a catalogue in SQLite beside them; the files stay as they are."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from deploy.lake.manifest import Lake, Manifest
from deploy.local.problems import CannotStart

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog

NAMESPACE: Final = "bi"
CATALOGUE: Final = "iceberg/catalogue.db"
TABLES: Final = "iceberg/tables.json"
"""Table → address of its newest metadata: who reads a bucket needs no more, and no SQLite."""

_SCHEMES: Final = {"local": "file://", "s3": "s3://"}


def register(lake: Lake, manifest: Manifest) -> str:
    """Let each table consist of exactly the manifest's files; returns the catalogue's path.

    Raises:
        CannotStart: the extra is not installed, or the lake is neither on a disk nor in an S3 bucket.
    """
    places: dict[str, str] = {}
    with catalogue_of(lake) as catalogue:
        catalogue.create_namespace_if_not_exists(NAMESPACE)
        for name, content in manifest.entities.items():
            files = [file for file in content.files if file.rows]
            with lake.filesystem.open_input_file(lake.path(content.files[0].path)) as opened:
                schema = pq.read_schema(opened)
            table = _table(catalogue, f"{NAMESPACE}.{name}", schema)
            with table.transaction() as transaction:
                if table.current_snapshot() is not None:
                    transaction.delete("true")
                if files:
                    transaction.add_files([_address(lake, file.path) for file in files])
            places[name] = table.metadata_location
    lake.replace(TABLES, msgspec.json.format(msgspec.json.encode(places), indent=1))
    return lake.path(CATALOGUE)


@contextmanager
def catalogue_of(lake: Lake) -> Iterator["Catalog"]:
    """The catalogue beside the lake. SQLite needs a file of this machine: that of a bucket is fetched, and put back.

    Raises:
        CannotStart: see `register`.
    """
    try:
        from pyiceberg.catalog.sql import SqlCatalog  # noqa: PLC0415 - an extra
    except ImportError:
        raise CannotStart("Iceberg needs the extra: pip install 'ticketing[iceberg]'") from None
    if lake.filesystem.type_name not in _SCHEMES:
        raise CannotStart("Iceberg tables are kept on a disk of this machine or in an S3 bucket")
    lake.make_folder("iceberg")
    with TemporaryDirectory() as folder:
        file = Path(lake.path(CATALOGUE)) if lake.is_local else Path(folder, "catalogue.db")
        if not lake.is_local:
            _fetch(lake, file)
        catalogue = SqlCatalog(
            "lake",
            uri=f"sqlite:///{file}",
            warehouse=_address(lake, "iceberg"),
            **access(lake.place),
        )
        try:
            yield catalogue
        finally:
            catalogue.close()
        if not lake.is_local:
            lake.replace(CATALOGUE, file.read_bytes())


def access(place: str) -> dict[str, str]:
    """How pyiceberg gets to a bucket, from the address that pyarrow knows; keys it may take from the environment."""
    address = urlsplit(place)
    if address.scheme != "s3":
        return {}
    said = {name: values[-1] for name, values in parse_qs(address.query).items()}
    found = {
        "s3.region": said.get("region"),
        "s3.access-key-id": unquote(address.username) if address.username else None,
        "s3.secret-access-key": unquote(address.password) if address.password else None,
    }
    if host := said.get("endpoint_override"):
        found["s3.endpoint"] = f"{said.get('scheme', 'https')}://{host}"
    return {name: value for name, value in found.items() if value}


def _address(lake: Lake, name: str) -> str:
    return f"{_SCHEMES[lake.filesystem.type_name]}{lake.path(name)}"


def _fetch(lake: Lake, file: Path) -> None:
    path = lake.path(CATALOGUE)
    if lake.filesystem.get_file_info(path).type == pafs.FileType.File:
        with lake.filesystem.open_input_file(path) as opened:
            file.write_bytes(opened.read())


def _table(catalogue: "Catalog", name: str, schema: Any) -> Any:
    if catalogue.table_exists(name):
        table = catalogue.load_table(name)
        if table.schema().column_names == schema.names:
            return table
        catalogue.drop_table(name)
    return catalogue.create_table(name, schema=schema)
