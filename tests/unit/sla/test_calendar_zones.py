"""Zone data comes from the pinned package, whose version goes on record (C10)."""

import struct
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from itertools import pairwise
from zoneinfo import ZoneInfo, reset_tzpath

import pytest

from shared.calendar import parse_calendar
from shared.calendar.zones import zone_of

NAMES = files("tzdata").joinpath("zones").read_text().split()


def transitions(data: bytes) -> list[int]:
    """The moments at which the clocks change, of a TZif file's 64-bit part (RFC 9636)."""
    at = 0
    for size in (4, 8):  # the old part, which is skipped, and the one that counts
        head = struct.unpack(">6I", data[at + 20 : at + 44])
        isut, isstd, leap, times, types, chars = head
        at += 44
        if size == 8:
            return list(struct.unpack(f">{times}q", data[at : at + 8 * times]))
        at += times * 5 + types * 6 + chars + leap * 8 + isstd + isut
    raise AssertionError


def test_no_zone_changes_its_clocks_twice_within_three_days():
    """`Calendar` takes equal offsets at neighbouring midnights for "no change between"."""
    seen = 0
    for name in NAMES:
        data = files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes()
        moments = transitions(data)
        seen += len(moments)
        assert all(after - before > 3 * 86_400 for before, after in pairwise(moments)), name
    assert seen > 10_000


def test_the_machines_own_zone_files_do_not_count(tmp_path):
    wrong = files("tzdata").joinpath("zoneinfo", "Asia", "Kolkata").read_bytes()
    (tmp_path / "Europe").mkdir()
    (tmp_path / "Europe" / "Berlin").write_bytes(wrong)
    reset_tzpath([tmp_path])
    try:
        assert ZoneInfo.no_cache("Europe/Berlin").utcoffset(datetime(2026, 1, 1)) == timedelta(  # noqa: DTZ001
            hours=5, minutes=30
        )
        hours = {"mon": [["09:00", "17:00"]]}
        calendar = parse_calendar({"timezone": "Europe/Berlin", "hours": hours})
    finally:
        reset_tzpath()
    opening = calendar.add(datetime(2026, 1, 1, tzinfo=UTC), 0)
    assert opening == datetime(2026, 1, 5, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    "name", ["", "Europe", "europe/berlin", "/etc/passwd", "../zones", "localtime", "Mars/Base"]
)
def test_what_is_no_zone_is_refused(name):
    with pytest.raises(KeyError):
        zone_of(name)


@pytest.mark.parametrize(
    ("opens", "opening", "hours"),
    [("01:30", "00:30", 23.5), ("02:30", "01:30", 22.5), ("03:00", "03:00", 21), ("04:00", "04:00", 20)],
)  # fmt: skip
def test_where_summer_time_is_the_rule_and_winter_the_exception(opens, opening, hours):
    """Morocco goes back for Ramadan: on 2025-02-23 at 03:00 it was 02:00 again."""
    calendar = parse_calendar(
        {"timezone": "Africa/Casablanca", "hours": {"sun": [[opens, "24:00"]]}}
    )
    start = datetime(2025, 2, 22, 12, tzinfo=UTC)
    assert calendar.add(start, 0) == datetime.fromisoformat(f"2025-02-23T{opening}Z")
    assert calendar.between(start, start + timedelta(days=2)) == hours * 3600


def test_every_zone_can_be_read():
    assert len({zone_of(name).key for name in NAMES}) == len(NAMES) > 500
