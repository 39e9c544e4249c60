"""Time zones from the pinned `tzdata` package, never from the machine: the version on record is the one used (C10).

The machine's own zone files, which `ZoneInfo(name)` prefers, differ from host to host and change
under a running service; a replay could not say why a deadline moved.
"""

from functools import cache
from importlib.resources import files
from typing import Final
from zoneinfo import ZoneInfo

_PACKAGE: Final = "tzdata"


@cache  # bounded by the number of zones there are, some 600
def zone_of(name: str) -> ZoneInfo:
    """The zone of this IANA name, `Europe/Berlin`.

    Raises:
        KeyError: there is no such zone.
    """
    if name not in _names():
        raise KeyError(name)
    with files(_PACKAGE).joinpath("zoneinfo", *name.split("/")).open("rb") as data:
        return ZoneInfo.from_file(data, key=name)


@cache
def _names() -> frozenset[str]:
    return frozenset(files(_PACKAGE).joinpath("zones").read_text(encoding="utf-8").split())
