"""Reading a sensitive ticket is recorded before it is shown, appears in the audit, and is sealed like any event."""

from typing import Any

import httpx2
import msgspec
import pytest

from services.query.settings import Settings
from shared.database import Transaction
from shared.events.readings import ReadingRecorded
from shared.identifiers import new_id
from shared.security import Role
from shared.sensitivity import Sensitivity
from tests.integration.query.conftest import Reader
from tests.integration.query.stories import Story
from tests.support.events import ANNA, stamp
from tests.support.waiting import eventually

SEEN_BY = {"role": Role.SUPERVISOR, "subject": "wanda"}
VIEWS = (
    "/v1/tickets/1", "/v1/tickets/1/timeline", "/v1/tickets/1?as_of=2026-03-02T13:00:00Z", "/tickets/1",
    "/tickets/1/parts", "/tickets/1/past",
)  # fmt: skip


async def readings(reader: Reader) -> list[dict[str, Any]]:
    return (await reader.read("/v1/audit", **SEEN_BY, type="ticket.read.v1"))["events"]


@pytest.mark.parametrize("path", VIEWS)
async def test_every_way_to_a_sensitive_ticket_is_recorded(reader: Reader, path: str):
    reader.feed(Story(1).opened(is_internal=True), Story(2).opened())
    path, _, asked = path.partition("?as_of=")
    assert (await reader.get(path, **({"as_of": asked} if asked else {}))).status_code == 200
    (read,) = await readings(reader)
    assert (read["actor"]["id"], read["actor"]["ip"]) == ("anna", "127.0.0.1")
    assert (read["ticket_number"], read["data"]["path"]) == (1, path)
    assert read["sentence"] == "anna read this ticket (internal)"
    assert read["event_id"].startswith("query:")


async def test_the_export_of_a_sensitive_history_is_recorded_and_in_the_next_one(reader: Reader):
    reader.feed(Story(1).opened(is_internal=True))
    await reader.get("/v1/audit/tickets/1", **SEEN_BY)
    text = (await reader.get("/v1/audit/tickets/1", **SEEN_BY, format="csv")).text
    assert text.count("wanda read this ticket") == 2


@pytest.mark.parametrize("path", ["/v1/audit", "/audit"])
async def test_events_of_a_sensitive_ticket_in_the_audit_are_recorded(reader: Reader, path: str):
    reader.feed(Story(1).opened(is_internal=True).note(1, "x"), Story(2).opened())
    assert (
        await reader.get(path, role=Role.ADMIN, subject="root", type="ticket")
    ).status_code == 200
    (read,) = await readings(reader)
    assert (read["actor"]["id"], read["ticket_number"], read["data"]["path"]) == ("root", 1, path)
    # The records themselves tell nothing of what is in the ticket, nor do other tickets.
    for asked in ({"type": "ticket.read.v1"}, {"ticket": "2"}):
        await reader.get(path, role=Role.ADMIN, **asked)
    assert len(await readings(reader)) == 1


@pytest.mark.parametrize("path", ["/v1/tickets", "/v1/search", "/tickets"])
async def test_words_shown_from_a_sensitive_tickets_messages_are_recorded(
    reader: Reader, path: str
):
    reader.feed(
        Story(1).opened(is_internal=True).note(1, "the merger is planned"),
        Story(2).opened(subject="merger", is_internal=True),
        Story(3).opened().note(1, "another merger"),
    )
    asked = {"q": "merger"} if path == "/tickets" else {"q": "merger", "highlight": "true"}
    assert "is planned" in (await reader.get(path, **asked)).text
    (read,) = await readings(reader)
    assert (read["ticket_number"], read["data"]["path"]) == (1, path)


async def test_an_export_is_recorded_when_something_is_given(reader: Reader):
    reader.feed(Story(1).opened(is_internal=True), Story(2).opened())
    asked = {"fields": "message_kind"}

    async def first() -> httpx2.Response | None:
        page = await reader.get("/v1/export/fct_message", **SEEN_BY, **asked, limit=1, format="csv")
        return page if page.text.count("\n") > 1 else None  # rows of just now may be withheld

    page = await eventually(first, seconds_max=120, what="a row is given")
    cursor = page.headers["x-next-cursor"]
    page = await reader.get("/v1/export/fct_message", **SEEN_BY, cursor=cursor, **asked)
    cursor = page.headers["x-next-cursor"]
    again = await reader.get("/v1/export/fct_message", **SEEN_BY, cursor=cursor, **asked)
    assert again.text == ""
    events = (await reader.read("/v1/audit", **SEEN_BY, type="export"))["events"]
    assert [event["sentence"] for event in events] == [
        "wanda exported fct_message as ndjson, from a cursor",
        "wanda exported fct_message as csv, from the beginning",
    ]
    assert events[0]["actor"]["ip"] == "127.0.0.1"
    assert events[0]["data"]["fields"] == ["message_kind"]
    assert events[0]["ticket_id"] is None


async def test_files_fetched_from_intake_stand_in_the_audit_and_on_no_timeline(reader: Reader):
    story = Story(1).opened(is_internal=True)
    reader.feed(story, Story(2).opened())
    fetched = ReadingRecorded(
        **stamp(1, actor=msgspec.structs.replace(ANNA, ip="198.51.100.7")),
        ticket_id=story.ticket_id,
        number=1,
        ticket_version=1,
        attachment_id=new_id(),
        name="contract.pdf",
        is_original=False,
        reasons=("internal",),
    )
    reader.feed_events([fetched])
    for asked in ({"type": "reading"}, {"ticket": "1", "actor": "anna"}):
        (read,) = (await reader.read("/v1/audit", **SEEN_BY, **asked))["events"]
        assert read["sentence"] == "Anna fetched the file “contract.pdf” of #1 (internal)"
        assert (read["actor"]["id"], read["actor"]["ip"]) == ("anna", "198.51.100.7")
        assert (read["ticket_id"], read["ticket_number"]) == (str(story.ticket_id), 1)
    history = await reader.get("/v1/audit/tickets/1", **SEEN_BY, format="csv")
    assert "contract.pdf" in history.text
    for path in ("/v1/tickets/1/timeline", "/tickets/1"):
        assert "contract.pdf" not in (await reader.get(path)).text
    assert not (await reader.read("/v1/audit", **SEEN_BY, ticket="2", type="reading"))["events"]
    # Its name is of a sensitive ticket: whoever was shown it is recorded like a reader.
    assert "wanda" in {read["actor"]["id"] for read in await readings(reader)}


async def test_other_tickets_lists_and_customers_leave_no_trace(reader: Reader):
    reader.feed(Story(1).opened(is_internal=True), Story(2).opened())
    for path in ("/v1/tickets/2", "/tickets/2", "/v1/tickets", "/tickets"):
        assert (await reader.get(path)).status_code == 200
    await reader.get("/v1/tickets/2", role=Role.CUSTOMER, subject="carl")
    assert await readings(reader) == []


async def test_what_cannot_be_recorded_is_not_shown(reader: Reader):
    reader.feed(Story(1).opened(is_internal=True, subject="secret plan"))
    reader.store.transact(lambda tx: tx.cursor.execute("ALTER TABLE reads RENAME TO away"))
    try:
        answer = await reader.get("/v1/tickets/1")
    finally:
        reader.store.transact(lambda tx: tx.cursor.execute("ALTER TABLE away RENAME TO reads"))
    assert answer.status_code == 500
    assert "secret plan" not in answer.text


async def test_readings_are_filtered_by_person_and_ticket_and_paged_with_events(reader: Reader):
    reader.feed(Story(1).opened(is_internal=True).note(1, "x"))
    for _ in range(3):
        await reader.get("/v1/tickets/1")
    content = await reader.read("/v1/audit", **SEEN_BY, ticket="1", limit=4)
    assert [event["type"] for event in content["events"]] == [
        "ticket.read.v1", "ticket.read.v1", "ticket.read.v1", "ticket.note_added.v1",
    ]  # fmt: skip
    rest = await reader.read("/v1/audit", **SEEN_BY, ticket="1", limit=4, cursor=content["next"])
    assert [event["type"] for event in rest["events"]] == ["ticket.opened.v1"]
    assert len((await reader.read("/v1/audit", **SEEN_BY, actor="anna"))["events"]) == 4


async def test_readings_are_sealed_like_events(reader: Reader):
    reader.feed(Story(1).opened(is_internal=True))
    for _ in range(3):
        await reader.get("/v1/tickets/1")
    sealer = reader.service.sealer
    assert sealer is not None
    assert sealer.seal_next() == 3
    (sealed,) = reader.rows("SELECT event_count, last FROM audit_seals")
    (newest,) = reader.rows("SELECT max(notification_id) AS last FROM reads")
    assert (sealed["event_count"], sealed["last"]) == (3, newest["last"])


def test_what_is_sensitive_is_configured(settings: Settings):
    chosen = settings.model_copy(
        update={
            "sensitive_tags": "vip, legal",
            "sensitive_types": "hr",
            "sensitive_fields": "iban",
            "sensitive_internal": False,
        }
    )
    ticket = {"tags": ["vip", "x"], "ticket_type": "hr", "fields": {"iban"}, "is_internal": True}
    assert Sensitivity(chosen).reasons(**ticket) == ("field:iban", "tag:vip", "type:hr")
    plain = {"tags": [], "ticket_type": None, "fields": {}, "is_internal": True}
    assert Sensitivity(chosen).reasons(**plain) == ()
    assert Sensitivity(settings).reasons(**plain) == ("internal",)


async def test_lists_show_no_sensitive_field_for_they_leave_no_trace(
    reader: Reader, settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    chosen = Sensitivity(settings.model_copy(update={"sensitive_fields": "iban"}))
    monkeypatch.setattr(reader.service.api.state.parts.reads, "_sensitivity", chosen)
    fields = {"iban": "DE89370400440532013000", "floor": "third"}
    reader.feed(Story(1).opened(fields=fields), Story(2).opened(fields={"floor": "second"}))
    lists = ("/v1/tickets", "/v1/tickets?as_of=2026-03-02T13:00:00Z", "/v1/search?q=printer")
    pages = (
        "/tickets?columns=field.iban",
        "/tickets?as_of=2026-03-02T13:00:00Z",
    )
    for path in (*lists, *pages, "/desk"):
        address, _, asked = path.partition("?")
        query = dict(one.split("=") for one in asked.split("&") if one)
        assert "DE89" not in (await reader.get(address, **query)).text, path
    assert await readings(reader) == []
    listed = {one["number"]: one for one in (await reader.read("/v1/tickets"))["tickets"]}
    assert (listed[1]["fields"], listed[1]["withheld_fields"]) == ({"floor": "third"}, ["iban"])
    assert (listed[2]["fields"], listed[2]["withheld_fields"]) == ({"floor": "second"}, [])
    assert "DE89" in (await reader.get("/v1/tickets/1")).text
    (read,) = await readings(reader)
    assert read["data"]["reasons"] == ["field:iban"]


async def test_the_audit_is_walked_along_its_indexes(reader: Reader):
    """The union of events and readings is merged in the order of time, not sorted as a whole."""

    def plan(tx: Transaction) -> str:
        tx.cursor.execute("SET LOCAL enable_seqscan = off")
        tx.cursor.execute(
            "EXPLAIN SELECT e.*, t.number FROM audit_log AS e LEFT JOIN tickets AS t ON t.ticket_id = e.ticket_id"
            " ORDER BY e.recorded_at DESC, e.stream_id DESC, e.topic DESC, e.version DESC LIMIT 50"
        )
        return "\n".join(row["QUERY PLAN"] for row in tx.cursor.fetchall())

    shown = reader.store.transact(plan)
    assert "Merge Append" in shown, shown
    assert "timeline_time" in shown
    assert "reads_time" in shown
