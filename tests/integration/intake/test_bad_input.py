"""Whatever is malformed is refused with the field at fault, and nothing is stored."""

from uuid import uuid4

import pytest

pytestmark = pytest.mark.integration

GOOD = {"subject": "Fire", "body": "It burns.", "requester": {"id": "ben"}}

MALFORMED = [
    ({"subject": ""}, "subject"),
    ({"subject": "   "}, "subject"),
    ({"subject": "x" * 301}, "subject"),
    ({"subject": "a\r\nBcc: b"}, "subject"),
    ({"subject": None}, "subject"),
    ({"subject": 7}, "subject"),
    ({"subject": "a\x00b"}, "subject"),
    ({"body": ""}, "body"),
    ({"body": "é" * 131_073}, "body"),
    ({"priority": "asap"}, "priority"),
    ({"category": "lost"}, "category"),
    ({"label": "x" * 65}, "label"),
    ({"tags": "fire"}, "tags"),
    ({"tags": ["a", "x" * 65]}, "tags[1]"),
    ({"tags": [str(n) for n in range(51)]}, "tags"),
    ({"tags": ["a\x00"]}, "tags[0]"),
    ({"fields": {"Not A Slug": 1}}, "fields.Not A Slug"),
    ({"fields": {"a": {"b": 1}}}, "fields.a"),
    ({"fields": {"a": 2**60}}, "fields.a"),
    ({"fields": {f"f{n}": n for n in range(101)}}, "fields"),
    ({"fields": {"a": list(range(101))}}, "fields.a"),
    ({"fields": {"a": [1, [2]]}}, "fields.a[1]"),
    ({"fields": {"a": "x" * 4_001}}, "fields.a"),
    ({"language": "not a tag"}, "language"),
    ({"requester": {"id": ""}}, "requester.id"),
    ({"requester": {"id": "ben", "email": "nowhere"}}, "requester.email"),
    ({"requester": None}, "requester"),
    ({"via": "pigeon"}, "via"),
    ({"via": "system"}, "via"),
    ({"occurred_at": "yesterday"}, "occurred_at"),
    ({"occurred_at": "2016-01-01T00:00:00"}, "occurred_at"),
    ({"occurred_at": "2999-01-01T00:00:00Z"}, "occurred_at"),
    ({"actor": {"kind": "god", "id": "x"}}, "actor.kind"),
    ({"actor": {"kind": "system", "id": "x"}}, "actor.kind"),
    ({"colour": "red"}, "colour"),
    ({"requester": {"id": "ben", "age": 7}}, "requester.age"),
]


@pytest.mark.parametrize(("wrong", "field"), MALFORMED)
async def test_a_malformed_opening_names_the_field(importer, wrong, field):
    answer = await importer.post("/v1/tickets", GOOD | wrong)
    assert answer.status_code == 422, answer.text
    named = [error["field"] for error in answer.json()["errors"]]
    assert len(named) == 1
    assert named[0] == field


@pytest.mark.parametrize("missing", ["subject", "body"])
async def test_a_missing_field_is_named(agent, missing):
    said = {name: value for name, value in GOOD.items() if name != missing}
    answer = await agent.post("/v1/tickets", said)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == missing


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b"[]", 422),
        (b"null", 422),
        (b'"text"', 422),
        (b'{"subject": NaN}', 400),
        (b'{"fields":' + b"[" * 100_000 + b"]" * 100_000 + b"}", 4),
        (b'{"subject": "' + b"x" * 1_100_000 + b'"}', 413),
    ],
)
async def test_a_body_that_is_no_command_is_a_clear_error(agent, raw, status):
    answer = await agent.post("/v1/tickets", raw)
    assert answer.status_code == status or (status == 4 and 400 <= answer.status_code < 500)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("headers", "field"),
    [
        ({"if_match": "7"}, "header If-Match"),
        ({"if_match": '"7", "8"'}, "header If-Match"),
        ({"idempotency_key": ""}, "header Idempotency-Key"),
        ({"idempotency_key": "x" * 256}, "header Idempotency-Key"),
    ],
)
async def test_a_malformed_header_is_named(agent, headers, field):
    answer = await agent.post("/v1/tickets", GOOD, **headers)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field


@pytest.mark.parametrize("path", ["/notes", "/replies", "/close", "/merge"])
async def test_a_malformed_ticket_id_is_named(agent, path):
    said = {"into": str(uuid4())} if path == "/merge" else {"body": "a"}
    answer = await agent.post(f"/v1/tickets/7{path}", {} if path == "/close" else said)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "path ticket_id"


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({}, ""),
        ({"status": {"category": "postponed", "until": "soon"}}, "status.until"),
        ({"status": {"category": "postponed", "until": "2030-01-01"}}, "status.until"),
        ({"priority": None}, "priority"),
        ({"subject": ""}, "subject"),
        ({"fields": {"a": {}}}, "fields.a"),
        ({"expected_version": 0}, "expected_version"),
    ],
)
async def test_a_malformed_change_names_the_field_and_changes_nothing(desk, agent, said, field):
    ticket = (await agent.open(requester={"id": "ben"}))["ticket_id"]
    answer = await agent.send("PATCH", f"/v1/tickets/{ticket}", said)
    assert answer.status_code == 422, answer.text
    named = answer.json()["errors"][0]["field"]
    assert named == field
    assert await desk.names(ticket) == ["TicketOpened"]


async def test_what_cannot_be_said_together_is_refused(agent):
    ticket = (await agent.open(requester={"id": "ben"}))["ticket_id"]
    said = {"body": "a", "status": {"category": "pending"}, "resolve": {"summary": "b"}}
    answer = await agent.post(f"/v1/tickets/{ticket}/replies", said)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "resolve")
