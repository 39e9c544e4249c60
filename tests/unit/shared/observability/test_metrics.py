"""The metrics page: named by the rule, told in sentences, without unbounded labels."""

import asyncio
import contextlib
import os
import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from shared.observability import metrics
from shared.observability.eventloop import watch_event_loop

SERVICES = ("intake", "routing", "sla", "query")
HISTOGRAM_UNITS = {"seconds", "bytes", "events", "commands"}


def families() -> dict[str, metrics.Counter]:
    return {
        name: value
        for name, value in vars(metrics).items()
        if isinstance(value, metrics.Counter | metrics.Gauge | metrics.Histogram)
    }


@pytest.mark.parametrize(("constant", "metric"), families().items())
def test_each_follows_the_rule(constant: str, metric: metrics.Counter) -> None:
    name = metric._name + ("_total" if isinstance(metric, metrics.Counter) else "")
    assert re.fullmatch(r"ticketing(_[a-z]+){2,}", name)
    assert constant.startswith(name.split("_")[1].upper())
    if isinstance(metric, metrics.Histogram):
        assert name.rsplit("_", 1)[1] in HISTOGRAM_UNITS
    assert metric._documentation.endswith(".")
    assert len(metric._documentation.split()) > 3
    assert not {"ticket", "ticket_id", "id", "path", "user"} & set(metric._labelnames)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_shows_its_own_rooms_and_the_shared_ones(service: str) -> None:
    page = metrics.exposition(service).decode()
    names = {family.name for family in text_string_to_metric_families(page)}
    rooms = {name.split("_")[1] for name in names if name.startswith("ticketing_")}
    assert rooms == {"http", "security", "process", "store", "relay", "consumer", service}
    assert "process_resident_memory_bytes" in names


def test_no_name_is_told_twice() -> None:
    page = metrics.exposition("intake").decode()
    names = re.findall(r"^# TYPE (\S+)", page, re.MULTILINE)
    assert len(names) == len(set(names))


def lag_count() -> float:
    return sum(bucket.get() for bucket in metrics.PROCESS_EVENT_LOOP_LAG_SECONDS._buckets)


async def test_the_event_loop_is_measured_until_cancelled() -> None:
    before = lag_count()
    watch = asyncio.create_task(watch_event_loop(interval_seconds=0.001))
    async with asyncio.timeout(10):
        while lag_count() < before + 3:
            await asyncio.wait([watch], timeout=0.01)
    watch.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watch
    assert watch.cancelled()


async def test_a_blocked_event_loop_shows() -> None:
    before = metrics.PROCESS_EVENT_LOOP_LAG_SECONDS._sum.get()
    watch = asyncio.create_task(watch_event_loop(interval_seconds=0.001))
    loop = asyncio.get_running_loop()
    await asyncio.wait([watch], timeout=0.005)
    seen = lag_count()
    ends_at = loop.time() + 0.2
    while loop.time() < ends_at:  # blocks on purpose: nothing else runs meanwhile
        pass
    async with asyncio.timeout(10):
        while lag_count() <= seen:
            await asyncio.wait([watch], timeout=0.01)
    watch.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watch
    assert metrics.PROCESS_EVENT_LOOP_LAG_SECONDS._sum.get() - before > 0.1


def test_every_metric_is_written_by_somebody() -> None:
    """One that nobody writes shows zero for ever, and an alert on it can never fire."""
    root = Path(__file__).parents[4]
    words: set[str] = set()
    for top in ("services", "shared", "deploy"):
        for folder, folders, files in os.walk(root / top):
            folders[:] = [name for name in folders if name != "node_modules"]
            for name in files:
                path = Path(folder, name)
                if path.suffix == ".py" and path != Path(metrics.__file__):
                    words.update(re.findall(r"\w+", path.read_text()))
    unused = [name for name in families() if name not in words]
    assert unused == []
