"""Parquet and DuckDB against a count from the raw events by other code: every figure, also what still runs, exactly."""

from pathlib import Path

import pytest

from deploy.lake import open_lake
from services.query.catalogue import REPORTS, query_of
from shared.events import encode
from tests.integration.lake.test_lake import update, url
from tests.integration.query.conftest import Reader
from tests.integration.query.test_one_definition import Twice, the_events

__all__ = ["url"]
pytestmark = pytest.mark.integration


async def test_a_lake_brought_up_to_date_is_the_count_from_raw_events(
    reader: Reader, url: str, tmp_path: Path
) -> None:
    """It is as of one moment: what was open in its first run and has not changed since has grown as well."""
    events = the_events(5)
    middle = len(events) // 2
    reader.feed_events(events[:middle])
    await update(reader, url, tmp_path)
    reader.feed_events(events[middle:])
    written = await update(reader, url, tmp_path)
    assert written.anew is None
    now = written.manifest.as_of
    exact = Twice([encode(event) for event in events], now, now)
    lake, compared = open_lake(str(tmp_path)), 0
    for name, one in REPORTS.items():
        for by in one.by:
            sql = query_of(one, by, placeholder="${}")
            names, rows = lake.ask(sql, {"now": now} if "$now" in sql else {})
            told = [dict(zip(names, row, strict=True)) for row in rows]
            exact.holds({row[by]: row for row in told}, name, by)
            compared += len(rows) * len(one.metrics)
    lake.close()
    assert compared > 500, "the stories must be rich enough to say anything"
