"""How old an answer is, measured against what Kafka has."""

from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest

from services.query.views.freshness import CONSUMER, Freshness, measure
from shared.security import Role
from tests.integration.query.conftest import Reader
from tests.integration.query.stories import Story, received
from tests.support.events import NOON

pytestmark = pytest.mark.integration
LOOKED_AT = NOON + timedelta(days=1)


def apply(reader: Reader) -> dict[tuple[str, int], int]:
    """Two events of one ticket; the ends of Kafka as they are when nothing is missing."""
    story = Story(1).opened().note(3, "x")
    reader.feed(story)
    (first, _) = received(story.events)
    slot = (first.topic.value, first.partition)
    reader.store.transact(
        lambda tx: tx.cursor.execute(
            "INSERT INTO consumer_positions VALUES (%s, %s, %s, 2)", (CONSUMER, *slot)
        )
    )
    return {slot: 2}


async def test_with_everything_applied_it_is_as_of_the_look(reader: Reader) -> None:
    ends = apply(reader)
    fresh = await measure(await reader.store.pool(), ends | {("sla.v1", 0): 0}, LOOKED_AT, {})
    assert fresh == Freshness(LOOKED_AT, behind=0, position=2)


async def test_behind_it_is_as_of_the_newest_event_of_the_partition_that_lags(
    reader: Reader,
) -> None:
    ends = {slot: end + 5 for slot, end in apply(reader).items()}
    fresh = await measure(await reader.store.pool(), ends, LOOKED_AT, {})
    assert fresh == Freshness(NOON + timedelta(hours=3), behind=5, position=2)


async def test_one_event_under_way_in_a_partition_long_quiet_is_no_old_age(reader: Reader) -> None:
    ends, whole_at = apply(reader), {}
    await measure(await reader.store.pool(), ends, LOOKED_AT, whole_at)
    next_look = LOOKED_AT + timedelta(seconds=1)
    one_more = {slot: end + 1 for slot, end in ends.items()}
    fresh = await measure(await reader.store.pool(), one_more, next_look, whole_at)
    assert fresh == Freshness(LOOKED_AT, behind=1, position=2)


async def test_a_partition_that_was_never_read_makes_no_promise_at_all(reader: Reader) -> None:
    ends = apply(reader) | {("sla.v1", 3): 1}
    fresh = await measure(await reader.store.pool(), ends, LOOKED_AT, {})
    assert fresh.behind == 1
    assert fresh.as_of is not None
    assert fresh.as_of.year == 1970


async def test_every_answer_says_how_old_it_may_be_also_files_and_refusals(reader: Reader) -> None:
    reader.feed(Story(1).opened())
    document = (await reader.get("/openapi.json")).json()
    asked = {
        path.format_map(_Examples())
        for path, operations in document["paths"].items()
        if "get" in operations and "health" not in operations["get"].get("tags", ())
    }
    asked -= {"/v1/dashboard/stream", "/session", "/asyncapi.json"}  # no end; no projection
    pages = {"/", "/tickets", "/tickets/1", "/tickets/999", "/audit", "/reports/volume"}
    files = {f"/v1/audit/tickets/1?format={form}" for form in ("ndjson", "csv", "pdf")}
    refused = {"/v1/tickets/999", "/v1/tickets/1?min_version=9", "/v1/tickets?sort=moon"}
    answers = {
        path: await reader.get(
            urlsplit(path).path, role=Role.ADMIN, **dict(parse_qsl(urlsplit(path).query))
        )
        for path in sorted(asked | pages | files | refused)
    }
    assert {answers[path].status_code for path in refused} == {404, 422, 504}
    assert len(answers) > 35
    silent = {
        f"{answer.status_code} {path}"
        for path, answer in answers.items()
        if not {"x-position", "x-freshness-seconds"} <= set(answer.headers)
    }
    assert silent == set()


class _Examples(dict[str, str]):
    """Parameters of addresses: a ticket that exists, and names that do not."""

    def __missing__(self, name: str) -> str:
        return "1" if name == "ticket" else "00000000-0000-0000-0000-000000000000"


async def test_a_stranger_is_not_told_how_many_events_there_are(reader: Reader) -> None:
    refused = await reader.http.get("/v1/tickets")
    assert refused.status_code == 401
    assert "x-position" not in refused.headers
