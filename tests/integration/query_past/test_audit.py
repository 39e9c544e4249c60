"""The audit: every event of every topic for those who may see it, by person, ticket, field, kind, time and words."""

import csv
import io
import json
import re
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from services.query.past.history import as_csv
from services.query.past.history_pdf import _FAMILY, _Page, _printable, as_pdf
from services.query.views import audit as audit_view
from shared.events import Priority, StatusCategory
from shared.events.agents import GroupDefined, GroupProfile, RoutingRule, RoutingRulesDefined
from shared.events.policies import SlaPolicyDefined
from shared.events.tickets import MergeReceived, PriorityChanged, SubjectChanged, TicketMerged
from shared.events.triage import TriageRequested
from shared.security import Role
from shared.spreadsheets import harmless
from tests.integration.query.conftest import Reader
from tests.integration.query.stories import HOUR, Story
from tests.support.events import ANNA, NOON, stamp

SEEN_BY = {"role": Role.SUPERVISOR}


@pytest.fixture
def desk(reader: Reader) -> Reader:
    """A ticket with a life, another one, and changes of rules and policies."""
    first = (
        Story(1).opened().give_group(1, "desk", mode="rule").assign(1, "anna").note(2, "100% sure")
    )
    first.solve(3)
    events = list(first.events)
    assigned = next(event for event in events if event.wire_type == "assignment.assigned.v1")
    events[events.index(assigned)] = msgspec.structs.replace(
        assigned, causation_id=f"intake:{first.ticket_id}:1", correlation_id="one request"
    )
    reader.feed_events(
        [
            *events,
            *Story(2, at=NOON + 10 * HOUR).opened(subject="100 pages").events,
            GroupDefined(**stamp(1, NOON - HOUR, ANNA), group_id="desk", profile=GroupProfile(name="D")),
            RoutingRulesDefined(
                **stamp(1, NOON - HOUR, ANNA), rules=(RoutingRule(id="r1", group="desk"),)
            ),
            SlaPolicyDefined(
                **stamp(1, NOON - HOUR, ANNA), policy_id="gold", definition={"target": 60}
            ),
        ]
    )  # fmt: skip
    return reader


async def types(reader: Reader, **asked: Any) -> list[str]:
    content = await reader.read("/v1/audit", **SEEN_BY, **asked)
    return [event["type"] for event in content["events"]]


async def test_all_topics_are_there_newest_first(desk: Reader):
    content = await desk.read("/v1/audit", **SEEN_BY)
    topics = {event["topic"] for event in content["events"]}
    assert topics == {"tickets.v1", "assignments.v1", "agents.v1", "policies.v1"}
    moments = [event["recorded_at"] for event in content["events"]]
    assert moments == sorted(moments, reverse=True)
    assert len(moments) == 9


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"type": "routing_rules"}, ["routing_rules.defined.v1"]),
        ({"type": "ticket.resolved.v1"}, ["ticket.resolved.v1"]),
        ({"type": "tick"}, []),
        ({"field": "assignee"}, ["assignment.assigned.v1"]),
        ({"field": "target"}, ["sla_policy.defined.v1"]),
        ({"q": "100%"}, ["ticket.note_added.v1"]),
        ({"correlation": "one request"}, ["assignment.assigned.v1"]),
        ({"actor": "carl", "ticket": "2"}, ["ticket.opened.v1"]),
        ({"from": (NOON + 10 * HOUR).isoformat()}, ["ticket.opened.v1"]),
        ({"to": NOON.isoformat(), "type": "group"}, ["group.defined.v1"]),
        ({"actor": "nobody' OR true --"}, []),
    ],
)
async def test_filters(desk: Reader, asked: dict[str, Any], expected: list[str]):
    assert await types(desk, **asked) == expected


async def test_pages_have_every_event_once_while_others_are_written(desk: Reader):
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = await desk.read("/v1/audit", **SEEN_BY, limit=2, **cursor)
        seen += [event["event_id"] for event in page["events"]]
        if len(seen) == 4:
            desk.feed(Story(9, at=NOON + 99 * HOUR).opened())
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert len(seen) == len(set(seen)) == 9


async def test_cause_and_consequence_are_linked(desk: Reader):
    (assigned,) = (await desk.read("/v1/audit", **SEEN_BY, field="assignee"))["events"]
    assert assigned["caused_by"]["type"] == "ticket.opened.v1"
    opened = (await desk.read("/v1/audit", **SEEN_BY, ticket="1", type="ticket.opened.v1"))[
        "events"
    ]
    assert [effect["event_id"] for effect in opened[0]["led_to"]] == [assigned["event_id"]]
    assert assigned["changes"] == [{"field": "assignee", "old": None, "new": "anna"}]


async def test_a_consequence_on_another_ticket_is_linked_both_ways(reader: Reader):
    one, other = Story(1).opened(), Story(2).opened()
    one.tell(TicketMerged, 1, into_ticket_id=other.ticket_id, into_number=2,
             previous_category=StatusCategory.NEW)  # fmt: skip
    other.tell(MergeReceived, 1, from_ticket_id=one.ticket_id, from_number=1)
    cause = f"intake:{one.ticket_id}:2"
    other.events[-1] = msgspec.structs.replace(other.events[-1], causation_id=cause)
    reader.feed(one, other)
    (merged,) = (await reader.read("/v1/audit", **SEEN_BY, type="ticket.merged.v1"))["events"]
    assert [effect["event_id"] for effect in merged["led_to"]] == [f"intake:{other.ticket_id}:2"]
    (received,) = (await reader.read("/v1/audit", **SEEN_BY, field="part"))["events"]
    assert received["caused_by"]["event_id"] == cause
    lines = (await reader.get("/v1/audit/tickets/2", **SEEN_BY)).text.splitlines()
    assert json.loads(lines[-1])["caused_by"]["sentence"].startswith(merged["actor"]["name"])


async def test_a_wish_of_triage_is_the_cause_of_what_intake_did_and_on_the_tickets_history(
    reader: Reader,
):
    story = Story(1).opened()
    wish = TriageRequested(
        **stamp(1, NOON + HOUR, ANNA), ticket_id=story.ticket_id, number=1, rule="vip", rules_version=1,
        previous_priority=Priority.NORMAL, priority=Priority.HIGH, why="a VIP",
    )  # fmt: skip
    story.tell(PriorityChanged, 1, priority=Priority.HIGH, previous=Priority.NORMAL)
    story.events[-1] = msgspec.structs.replace(story.events[-1], causation_id=wish.event_id)
    reader.feed_events([*story.events, wish])
    events = (await reader.read("/v1/audit", **SEEN_BY, ticket="1"))["events"]
    told = {event["type"]: event for event in events}
    assert told["ticket.priority_changed.v1"]["caused_by"]["event_id"] == wish.event_id
    (effect,) = told["triage.requested.v1"]["led_to"]
    assert effect["type"] == "ticket.priority_changed.v1"
    text = (await reader.get("/v1/audit/tickets/1", **SEEN_BY)).text
    assert len(text.splitlines()) == 3


async def test_old_and_new_value_are_told_from_the_event_itself(desk: Reader):
    """The column beside it is only for finding: whoever changes it changes nothing that is shown."""
    desk.store.transact(
        lambda tx: tx.cursor.execute(
            "UPDATE timeline SET changes = jsonb_set(changes, '{assignee,1}', '\"mallory\"')"
            " WHERE changes ? 'assignee'"
        )
    )
    (assigned,) = (await desk.read("/v1/audit", **SEEN_BY, field="assignee"))["events"]
    assert assigned["changes"] == [{"field": "assignee", "old": None, "new": "anna"}]


async def test_a_history_too_long_for_a_file_is_refused_and_not_cut(
    desk: Reader, monkeypatch: pytest.MonkeyPatch
):
    from services.query.past import history

    monkeypatch.setattr(history, "EVENTS_MAX", 4)
    answer = await desk.get("/v1/audit/tickets/1", **SEEN_BY)
    assert (answer.status_code, answer.json()["code"]) == (422, "too_long")
    monkeypatch.setattr(history, "EVENTS_MAX", 5)
    assert (await desk.get("/v1/audit/tickets/1", **SEEN_BY)).status_code == 200


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"from": "2026-03-02"}, "from"),
        ({"from": NOON.isoformat(), "to": NOON.isoformat()}, "to"),
        ({"ticket": "x"}, "ticket"),
        ({"cursor": "x"}, "cursor"),
        ({"limit": 0}, "limit"),
        ({"actor": "a\0b"}, "actor"),
        ({"agent": "anna"}, "agent"),
    ],
)
async def test_bad_questions_are_refused_by_name(desk: Reader, asked: dict[str, Any], field: str):
    answer = await desk.get("/v1/audit", **SEEN_BY, **asked)
    assert answer.status_code == 422
    assert field in answer.json()["errors"][0]["field"]


@pytest.mark.parametrize("path", ["/v1/audit", "/v1/audit/tickets/1", "/audit"])
async def test_only_supervisors_and_admins_see_it(desk: Reader, path: str):
    for role in (Role.CUSTOMER, Role.AGENT):
        assert (await desk.get(path, role=role)).status_code == 403
    for role in (Role.SUPERVISOR, Role.ADMIN):
        assert (await desk.get(path, role=role)).status_code == 200


async def test_the_page_shows_and_filters(desk: Reader):
    html = (await desk.get("/audit", **SEEN_BY, ticket="1", q="sure")).text
    assert "left an internal note" in html
    assert "solved it" not in html
    assert 'href="/audit?actor=anna"' in html
    assert "/v1/audit/tickets/" in html
    assert "?format=ndjson&amp;proof=true" in html
    typed = (await desk.get("/audit", **SEEN_BY, **{"from": "2026-03-02T22:00"})).text
    assert 'data-count="1"' in typed


async def test_the_history_as_ndjson_and_csv(desk: Reader):
    answer = await desk.get("/v1/audit/tickets/1", **SEEN_BY)
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["type"] for line in lines] == [
        "ticket.opened.v1", "assignment.group_changed.v1", "assignment.assigned.v1",
        "ticket.note_added.v1", "ticket.resolved.v1",
    ]  # fmt: skip
    assert lines[2]["caused_by"]["event_id"] == lines[0]["event_id"]
    assert lines[3]["data"]["body"] == "100% sure"
    assert 'filename="ticket-1-history.ndjson"' in answer.headers["content-disposition"]

    answer = await desk.get("/v1/audit/tickets/1", **SEEN_BY, format="csv")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    (given,) = [row for row in rows if row["field"] == "assignee"]
    assert (given["old"], given["new"], given["actor_id"]) == ("", "anna", "anna")
    assert {row["event_id"] for row in rows} == {line["event_id"] for line in lines}


async def test_no_cell_of_the_csv_is_calculated(reader: Reader):
    evil = '=HYPERLINK("http://evil.example","x")'
    wide = "\uff1d1+1"
    story = Story(3).opened(subject=evil)
    story.tell(SubjectChanged, 1, subject="@SUM(1)", previous=evil)
    story.tell(SubjectChanged, 2, subject=wide, previous="@SUM(1)")
    reader.feed(story)
    answer = await reader.get("/v1/audit/tickets/3", **SEEN_BY, format="csv")
    cells = [
        cell for row in csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))) for cell in row
    ]
    assert f"'{evil}" in cells
    assert "'@SUM(1)" in cells
    assert f"'{wide}" in cells
    assert not [cell for cell in cells if cell[:1] in tuple("=+-@\t\r")]


def test_harmless_text_is_left_alone():
    assert harmless("a=b") == "a=b"
    assert harmless("") == ""
    assert harmless("-1") == "'-1"


SCRIPTS = "Größe Привет Γειά שלום السلام नमस्ते สวัสดี"


async def test_the_history_as_pdf(reader: Reader):
    story = Story(4).opened(subject=SCRIPTS).note(1, "x" * 50_000)
    for hour in range(2, 60):
        story.note(hour, f"note {hour}\n{SCRIPTS}")
    reader.feed(story)
    answer = await reader.get("/v1/audit/tickets/4", **SEEN_BY, format="pdf")
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.content.startswith(b"%PDF-")
    assert answer.content.count(b"/Type /Page\n") > 3
    for font in (b"Heebo", b"NotoSansArabic", b"NotoSansDevanagari", b"NotoSansThai"):
        assert font in answer.content


def test_letters_that_no_font_has_are_told_by_their_number():
    assert _printable("a 你\n\x07") == "a [U+4F60]\n[U+0007]"
    assert _printable(SCRIPTS) == SCRIPTS


def test_an_empty_history_is_a_file_too():
    assert as_csv([]).count(b"\n") == 1
    assert as_pdf({"number": 1, "subject": "x"}, [], asked_by="anna").startswith(b"%PDF")


async def test_a_search_through_too_much_is_refused_with_advice(
    desk: Reader, monkeypatch: pytest.MonkeyPatch
):
    from services.query.views import audit

    monkeypatch.setattr(audit, "_SECONDS_MAX", 0.001)
    monkeypatch.setitem(
        audit._TESTS, "q", "e.raw::text ILIKE %(q_pattern)s AND pg_sleep(1) IS NOT NULL"
    )
    answer = await desk.get("/v1/audit", **SEEN_BY, q="x")
    assert answer.status_code == 422
    assert "shorter time" in answer.json()["detail"]


def test_lines_of_a_history_are_no_wider_than_the_page_and_leave_nothing_out():
    page = _Page(1)
    page.set_font(_FAMILY, size=9)
    words = "Größe Ελλάδα Кириллица a b " * 60 + "x" * 900 + " end"
    lines = list(page._lines(f"{words}\n\nlast", 120))
    assert all(page.get_string_width(line) <= 120 for line in lines)
    page.output()  # closes the files of its fonts
    assert len(lines) < 40
    assert lines[-2:] == ["", "last"]
    assert "".join(lines).replace(" ", "") == f"{words}last".replace(" ", "")
    before = " ".join(lines[:-2]).partition("xxx")[0]
    assert (
        before.split() == words.partition("xxx")[0].split()
    )  # broken at spaces, where there are any


def test_letters_are_measured_once_and_not_once_a_line(monkeypatch: pytest.MonkeyPatch):
    measured: list[str] = []
    plain = _Page.get_string_width

    def counted(page: _Page, text: str, **said: Any) -> float:
        measured.append(text)
        return plain(page, text, **said)

    monkeypatch.setattr(_Page, "get_string_width", counted)
    page = _Page(1)
    page.add_page()
    for size in (7.0, 9.0):
        page.line_of("the same letters " * 200, size=size)
    page.output()  # closes the files of its fonts
    assert sorted(measured) == sorted(set("the same letters "))


async def test_late_facts_stand_where_they_were_recorded(reader: Reader):
    story = Story(5).opened()
    late = msgspec.structs.replace(
        Story(6).opened().events[0], occurred_at=NOON - timedelta(days=9), recorded_at=NOON + HOUR
    )
    reader.feed_events([*story.events, late])
    content = await reader.read("/v1/audit", **SEEN_BY)
    assert [event["ticket_number"] for event in content["events"]] == [6, 5]


async def test_the_address_is_told_in_the_audit_and_nowhere_else(reader: Reader):
    story = Story(8).opened()
    story.tell(SubjectChanged, 1, by=msgspec.structs.replace(ANNA, ip="198.51.100.7"),
               subject="Other", previous="Printer")  # fmt: skip
    reader.feed(story)
    (changed,) = (await reader.read("/v1/audit", **SEEN_BY, field="subject", actor="anna"))[
        "events"
    ]
    assert changed["actor"]["ip"] == "198.51.100.7"
    assert "198.51.100.7" in (await reader.get("/audit", **SEEN_BY)).text
    for path in ("/v1/tickets/8", "/v1/tickets/8/timeline", "/tickets/8", "/tickets/8/past"):
        assert "198.51.100.7" not in (await reader.get(path)).text


async def test_where_the_roots_of_all_services_are(reader: Reader):
    content = await reader.read("/v1/audit/roots")
    assert [(one["service"], one["href"]) for one in content["roots"]] == [
        (name, f"/v1/audit/roots/{name}") for name in ("intake", "query", "routing", "sla")
    ]
    assert (await reader.get("/v1/audit/roots", role=Role.CUSTOMER)).status_code == 403


FILL = """
INSERT INTO timeline SELECT md5((i / 10)::text)::uuid, 'tickets.v1', i, md5((i / 10)::text)::uuid, 'ticket.imagined.v1',
    now(), timestamptz '2026-01-01' + i * interval '1 s', 'agent', 'anna', 'Anna', 'api', 'x', NULL,
    CASE WHEN i % 10 = 0 THEN '{"often": [1, 2]}'
         WHEN i IN (17, 4711) THEN '{"rarely": [1, 2], "often": [1, 2]}'
         WHEN i < 600 THEN '{"once": [1, 2]}' ELSE '{}' END::jsonb,
    '{"type": "ticket.imagined.v1", "actor": {"kind": "agent", "id": "anna"}}'
FROM generate_series(1, 30000) AS i
"""


FOUND = {
    "rarely": [4_711, 17],
    "once": [i for i in range(599, 0, -1) if i % 10 and i != 17],
    "never": [],
}


async def test_the_audit_of_a_field_looks_at_the_newest_events_and_then_only_at_those_with_it(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
):
    """Whatever changes often, rarely, no longer or never: no question walks all of the log."""
    plans: list[str] = []
    ask = audit_view._within_time

    async def explained(connection: Any, statement: Any, values: dict[str, Any]) -> Any:
        text = "EXPLAIN (ANALYZE, TIMING OFF, COSTS OFF) " + statement.as_string(connection)
        found = await connection.execute(text, values)
        plans.append("\n".join([row["QUERY PLAN"] for row in await found.fetchall()]))
        return await ask(connection, statement, values)

    reader.store.transact(lambda tx: tx.cursor.execute(FILL))
    reader.store.transact(lambda tx: tx.cursor.execute("ANALYZE timeline"))
    monkeypatch.setattr(audit_view, "_NEWEST_COUNT", 1_000)
    monkeypatch.setattr(audit_view, "_within_time", explained)
    page = await reader.read("/v1/audit", **SEEN_BY, field="often", limit=50)
    assert [event["version"] for event in page["events"]] == list(range(30_000, 29_500, -10))
    (plan,) = plans  # the newest had enough
    assert "recorded_at >=" in plan, plan
    for field, expected in FOUND.items():
        plans.clear()
        seen: list[int] = []
        cursor: dict[str, str] = {}
        while True:
            page = await reader.read("/v1/audit", **SEEN_BY, field=field, limit=200, **cursor)
            seen += [event["version"] for event in page["events"]]
            if page["next"] is None:
                break
            cursor = {"cursor": page["next"]}
        assert seen == expected
        for plan in plans:
            passed_over = [int(count) for count in re.findall(r"Rows Removed .*: (\d+)", plan)]
            assert sum(passed_over) <= 1_001, plan  # of 30,000
        assert field == "once" or "Bitmap Index Scan on timeline_changed" in plans[-1]
