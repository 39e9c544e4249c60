"""A lake: the rows of schema `bi` as Parquet files, exact as of one moment, brought up to date piece by piece."""

from deploy.lake.manifest import Lake, Manifest
from deploy.lake.reading import ReadOnly, open_lake
from deploy.lake.writing import Written, export

__all__ = ["Lake", "Manifest", "ReadOnly", "Written", "export", "open_lake"]
