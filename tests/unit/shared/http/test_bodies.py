"""A body is read as its type, or refused with the field that is wrong."""

import contextlib
from collections.abc import Iterator
from typing import Annotated, Any

import httpx2
import msgspec
import pytest
from fastapi import FastAPI, Request, Response
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import Invalid, Refused
from shared.http.bodies import DEPTH_MAX, NotJson, decode_json, json_answer, read_json


class Person(msgspec.Struct, forbid_unknown_fields=True):
    id: str
    age: Annotated[int, msgspec.Meta(ge=0)] = 0


class Body(msgspec.Struct):
    subject: Annotated[str, msgspec.Meta(min_length=1, max_length=20)]
    tags: list[str] = []
    requester: Person | None = None
    fields: dict[str, Any] = {}
    weight: float = 0.0


def refusal_of(raw: bytes) -> tuple[int, list[str]]:
    with pytest.raises(Refused) as caught:
        decode_json(raw, Body)
    error = caught.value
    fields = [each.field for each in getattr(error, "errors", ())] or [error.field or ""]
    return error.status, fields


DEEP = b"[" * 40 + b"]" * 40
VERY_DEEP = b"[" * 100_000 + b"]" * 100_000


@pytest.mark.parametrize(
    ("raw", "status", "field"),
    [
        (b"", 400, "body"),
        (b"{", 400, "body"),
        (b"nonsense", 400, "body"),
        (b'\xef\xbb\xbf{"subject": "a"}', 400, "body"),
        (b'{"subject": "\xff\xfe"}', 400, "body"),
        (b'{"subject": "a\x00b"}', 400, "body"),
        (b'{"subject": "\\ud800"}', 400, "body"),
        (b'{"subject": "a", "weight": NaN}', 400, "body"),
        (b"[]", 422, "body"),
        (b"null", 422, "body"),
        (b"{}", 422, "subject"),
        (b'{"subject": 5}', 422, "subject"),
        (b'{"subject": ""}', 422, "subject"),
        (b'{"subject": "%s"}' % (b"x" * 21), 422, "subject"),
        (b'{"subject": "a\\u0000b"}', 422, "subject"),
        (b'{"subject": "a", "tags": ["ok", 3]}', 422, "tags[1]"),
        (b'{"subject": "a", "tags": ["ok", "\\u0000"]}', 422, "tags[1]"),
        (b'{"subject": "a", "requester": {}}', 422, "requester.id"),
        (b'{"subject": "a", "requester": {"id": "x", "age": -1}}', 422, "requester.age"),
        (b'{"subject": "a", "requester": {"id": "x", "b": 1}}', 422, "requester.b"),
        (b'{"subject": "a", "weight": 1e999}', 422, "weight"),
        (b'{"subject": "a", "fields": {"n": %s}}' % (b"9" * 5_000), 422, "fields[...]"),
        (b'{"subject": "a", "fields": {"a\\u0000": 1}}', 422, "fields"),
        (b'{"subject": "a", "fields": {"x": {"y": "\\u0000"}}}', 422, "fields.x.y"),
        (b'{"subject": "a", "fields": {"x": %s}}' % VERY_DEEP, 422, "body"),
        (b'{"subject": "a", "unknown": %s}' % VERY_DEEP, 422, "body"),
    ],
)
def test_a_malformed_body_names_its_field(raw: bytes, status: int, field: str) -> None:
    assert refusal_of(raw) == (status, [field])


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b'{"subject": "a", "requester": "x"}', "must be an object or null, not text"),
        (b'{"subject": "a", "tags": ["ok", 3]}', "must be text, not a whole number"),
        (b'{"subject": "a", "weight": true}', "must be a number, not true or false"),
        (
            b'{"subject": "a", "requester": {"id": "x", "age": 1.5}}',
            "must be a whole number, not a fraction",
        ),
        (b'{"subject": "a", "tags": {}}', "must be a list, not an object"),
        (b'{"subject": ""}', "must be text of length >= 1"),
        (b'{"subject": "a", "requester": {"id": "x", "age": -1}}', "must be a whole number >= 0"),
        (b"{}", "is required"),
    ],
)
def test_the_reason_is_a_sentence_for_people(raw: bytes, said: str) -> None:
    with pytest.raises(Invalid) as caught:
        decode_json(raw, Body)
    assert [each.message for each in caught.value.errors] == [said]


def test_nesting_is_bounded_where_any_value_is_allowed() -> None:
    status, [field] = refusal_of(b'{"subject": "a", "fields": {"x": %s}}' % DEEP)
    assert status == 422
    assert field.startswith("fields.x[0]")


def test_many_flat_lists_are_not_nesting() -> None:
    raw = msgspec.json.encode(
        {"subject": "a", "fields": {str(n): [n] for n in range(DEPTH_MAX * 3)}}
    )
    assert len(decode_json(raw, Body).fields) == DEPTH_MAX * 3


def test_a_backslash_before_u0000_is_just_text() -> None:
    assert decode_json(b'{"subject": "a\\\\u0000b"}', Body).subject == "a\\u0000b"


@settings(deadline=None)  # the machine may be busy
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    with contextlib.suppress(NotJson, Invalid):
        decode_json(raw, Body)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=20,
)


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)


@settings(deadline=None)  # the machine may be busy
@given(
    st.fixed_dictionaries(
        {
            "subject": st.text(min_size=1, max_size=20),
            "fields": st.dictionaries(st.text(max_size=3), json_values),
        }
    )
)
def test_what_is_accepted_can_be_stored(body: dict[str, Any]) -> None:
    raw = msgspec.json.encode(body)
    try:
        accepted = decode_json(raw, Body)
    except Refused:
        return
    assert not any("\0" in text for text in texts(msgspec.to_builtins(accepted)))
    assert decode_json(msgspec.json.encode(accepted), Body) == accepted


def test_fields_of_a_part_are_named_from_the_whole() -> None:
    with pytest.raises(Refused) as caught:
        decode_json(b'{"tags": 1, "subject": "a"}', Body, path="commands[3]")
    assert caught.value.field == "commands[3].tags"


@pytest.fixture
def echoing(api: FastAPI, client: httpx2.AsyncClient) -> httpx2.AsyncClient:
    @api.post("/echo")
    async def echo(request: Request) -> Response:
        body = await read_json(request, Body)
        assert await request.body()
        return json_answer(body, status=201, headers={"ETag": '"1"'})

    return client


async def test_a_good_body_arrives(echoing: httpx2.AsyncClient) -> None:
    answer = await echoing.post("/echo", json={"subject": "a"})
    assert answer.status_code == 201
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["etag"] == '"1"'
    assert answer.json()["subject"] == "a"


@pytest.mark.parametrize(
    "declared", ["application/json; charset=utf-8", "application/merge-patch+json", None]
)
async def test_json_by_any_of_its_names(echoing: httpx2.AsyncClient, declared: str | None) -> None:
    headers = {"Content-Type": declared} if declared else {}
    answer = await echoing.post("/echo", content=b'{"subject": "a"}', headers=headers)
    assert answer.status_code == 201


@pytest.mark.parametrize(
    ("headers", "field"),
    [
        ({"Content-Type": "text/plain"}, "header Content-Type"),
        ({"Content-Type": "application/x-www-form-urlencoded"}, "header Content-Type"),
        ({"Content-Encoding": "gzip"}, "header Content-Encoding"),
    ],
)
async def test_another_kind_of_body_is_refused(
    echoing: httpx2.AsyncClient, headers: dict[str, str], field: str
) -> None:
    answer = await echoing.post("/echo", content=b'{"subject": "a"}', headers=headers)
    assert answer.status_code == 415
    assert answer.json()["errors"][0]["field"] == field
