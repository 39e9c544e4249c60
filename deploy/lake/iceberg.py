"""The lake's files as Apache Iceberg tables: a catalogue in SQLite beside them; the files stay as they are."""

from typing import TYPE_CHECKING, Any, Final

import pyarrow.parquet as pq

from deploy.lake.manifest import Lake, Manifest
from deploy.local.problems import CannotStart

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog

NAMESPACE: Final = "bi"
CATALOGUE: Final = "iceberg/catalogue.db"


def register(lake: Lake, manifest: Manifest) -> str:
    """Let each table consist of exactly the manifest's files; returns the catalogue's path.

    Raises:
        CannotStart: the extra is not installed, or the lake is not on a disk of this machine.
    """
    catalogue = catalogue_of(lake)
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
                transaction.add_files([f"file://{lake.path(file.path)}" for file in files])
    return lake.path(CATALOGUE)


def catalogue_of(lake: Lake) -> "Catalog":
    """The catalogue beside the lake.

    Raises:
        CannotStart: see `register`.
    """
    try:
        from pyiceberg.catalog.sql import SqlCatalog  # noqa: PLC0415 - an extra
    except ImportError:
        raise CannotStart("Iceberg needs the extra: pip install 'ticketing[iceberg]'") from None
    if not lake.is_local:
        raise CannotStart(
            "the Iceberg catalogue is a file: it needs a lake on a disk of this machine"
        )
    lake.make_folder("iceberg")
    return SqlCatalog(
        "lake",
        uri=f"sqlite:///{lake.path(CATALOGUE)}",
        warehouse=f"file://{lake.path('iceberg')}",
    )


def _table(catalogue: "Catalog", name: str, schema: Any) -> Any:
    if catalogue.table_exists(name):
        table = catalogue.load_table(name)
        if table.schema().column_names == schema.names:
            return table
        catalogue.drop_table(name)
    return catalogue.create_table(name, schema=schema)
