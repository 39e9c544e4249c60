"""Every address that answers questions is asked nonsense, parameter by parameter, as its own API document lists them.

Nothing ends as an error of ours, and whatever is refused names what was wrong. A new parameter is tried by being there.
"""

from collections.abc import Iterator
from typing import Any, Final

import httpx2
import pytest

from shared.security import Role
from tests.integration.query.conftest import Reader
from tests.integration.query.stories import Story

SEEN_BY: Final = {"role": Role.ADMIN, "subject": "root"}
QUOTES: Final = "x'\"; DROP TABLE tickets; --"
HUGE: Final = str(10**30)
STREAMS: Final = {"/v1/dashboard/stream"}
"""Answers that do not end by themselves; they are asked with what they must refuse only."""

ALWAYS_REFUSED: Final = ("a\0b", "x" * 5_000)
TRIED: Final = (
    QUOTES, HUGE, "-1", "%", "\\", "١٢", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "{}", "../..", "\U0010ffff",
)  # fmt: skip
NO_NUMBERS: Final = ("x", "1.5", "1e3", HUGE, "-1", "")
NO_MOMENTS: Final = ("yesterday", "2026-13-01T00:00:00Z", "2026-02-30", QUOTES, HUGE, "")
NO_CHOICE: Final = ("x", QUOTES, "")


@pytest.fixture
async def desk(reader: Reader) -> Reader:
    """Enough of everything that every list has a second page."""
    stories = [
        Story(n).opened(tags=["vip"]).note(1, "x").give_group(1, "desk") for n in range(1, 5)
    ]
    reader.feed(*stories)
    return reader


def needed(parameters: list[dict[str, Any]]) -> dict[str, str]:
    """What a question cannot be asked without."""
    return {one["name"]: "Printer" for one in parameters if one["required"]}


async def addresses(desk: Reader) -> dict[str, list[dict[str, Any]]]:
    """Path of a question → its parameters of the query."""
    document = (await desk.http.get("/openapi.json")).json()
    shapes = document["components"]["schemas"]
    found = {
        path: [
            {
                **one,
                "schema": one["schema"]
                if "$ref" not in one["schema"]
                else shapes[one["schema"]["$ref"].rpartition("/")[2]],
            }
            for one in operations["get"].get("parameters", ())
            if one["in"] == "query"
        ]
        for path, operations in document["paths"].items()
        if "get" in operations and path.startswith("/v1/") and path not in STREAMS
    }
    assert len(found) > 20
    return found


def filled(path: str) -> str:
    """With names that exist, so that the question itself is what is refused."""
    known = {"{ticket}": "1", "{entity}": "fct_message", "{report}": "volume", "{name}": "volume"}
    for name, value in known.items():
        path = path.replace(name, value)
    return path if "{" not in path else path.partition("{")[0] + "nobody"


def kinds(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for one in schema.get("anyOf", [schema]):
        if one.get("type") != "null":
            yield one


def refused_by_type(schema: dict[str, Any]) -> tuple[str, ...]:
    """What the parameter's own type forbids."""
    for one in kinds(schema):
        if "enum" in one or "const" in one or "$ref" in one:
            return NO_CHOICE
        if one.get("type") in {"integer", "number"}:
            return tuple(
                text for text in NO_NUMBERS if one["type"] == "integer" or text in {"x", ""}
            )
        if one.get("format") in {"date-time", "date"}:
            return NO_MOMENTS
        if one.get("type") == "boolean":
            return ("maybe", HUGE)
    return ()


def named(answer: httpx2.Response) -> str:
    """The fields of a refusal, and its sentence."""
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    return " ".join(
        [problem.get("detail") or "", *(one["field"] for one in problem.get("errors", ()))]
    )


async def test_no_nonsense_ends_as_our_error_and_refusals_name_the_parameter(desk: Reader):
    headers = {"Authorization": f"Bearer {desk.issuer.issue('root', Role.ADMIN)}"}
    faults: list[str] = []
    count = 0
    for path, parameters in (await addresses(desk)).items():
        where, rest = filled(path), needed(parameters)
        for parameter in parameters:
            name, schema = parameter["name"], parameter["schema"]
            forbidden = refused_by_type(schema)
            for text in dict.fromkeys((*ALWAYS_REFUSED, *forbidden, *TRIED)):
                count += 1
                answer = await desk.http.get(where, params=rest | {name: text}, headers=headers)
                asked = f"{path}?{name}={text[:40]!r}"
                if answer.status_code >= 500:
                    faults.append(f"{asked}: {answer.status_code}")
                elif answer.status_code == 422 and name not in named(answer):
                    faults.append(f"{asked}: refused without its name: {answer.text[:200]}")
                elif answer.status_code == 200 and (text in ALWAYS_REFUSED or text in forbidden):
                    faults.append(f"{asked}: taken")
    assert not faults, "\n".join(faults)
    assert count > 1_000


async def test_an_unknown_parameter_is_refused_by_its_name_everywhere(desk: Reader):
    faults = []
    found = await addresses(desk) | {path: [] for path in STREAMS}
    for path, parameters in found.items():
        answer = await desk.get(filled(path), **SEEN_BY, **needed(parameters), surprise="1")
        if answer.status_code != 422 or "surprise" not in named(answer):
            faults.append(f"{path}: {answer.status_code} {answer.text[:100]}")
    assert not faults, "\n".join(faults)


async def test_a_range_in_which_nothing_can_be_is_refused_everywhere(desk: Reader):
    faults, count = [], 0
    for path, parameters in (await addresses(desk)).items():
        names = {one["name"] for one in parameters}
        for begin in names:
            end = "to" if begin == "from" else begin.removesuffix("_from") + "_before"
            if end not in names:
                continue
            count += 1
            for said, wrong in (
                ({begin: "2026-03-02T00:00:00Z", end: "2026-03-01T00:00:00Z"}, end),
                ({begin: "9999-01-01T00:00:00Z"}, begin),
                ({end: "0001-01-02T00:00:00Z"}, end),
            ):
                answer = await desk.get(filled(path), **SEEN_BY, **needed(parameters), **said)
                if answer.status_code != 422 or wrong not in named(answer):
                    faults.append(f"{path} {said}: {answer.status_code} {answer.text[:100]}")
    assert not faults, "\n".join(faults)
    assert count >= 9


async def test_a_misspelt_filter_of_a_report_shows_no_figures(desk: Reader):
    answer = await desk.get("/reports/volume", **SEEN_BY, chanel="email")
    assert answer.status_code == 422
    assert "chanel" in answer.text


async def test_a_cursor_works_only_where_it_was_made(desk: Reader):
    """Made by every list with a second page; shown to every other one, and to the same list with another question."""
    found = await addresses(desk)
    takers = [
        path for path, asked in found.items() if any(one["name"] == "cursor" for one in asked)
    ]
    made: dict[str, str] = {}
    for path in takers:
        answer = await desk.get(filled(path), **SEEN_BY, limit=1, **needed(found[path]))
        cursor = answer.headers.get("x-next-cursor") or answer.json().get("next")
        if cursor:
            made[path] = cursor
    assert len(made) >= 4, made.keys()
    for maker, cursor in made.items():
        for path in takers:
            asked = needed(found[path])
            if path == maker:
                asked = {"type": "sla"} if path == "/v1/audit" else {"q": "paper"}
                if not any(one["name"] == next(iter(asked)) for one in found[path]):
                    continue
            answer = await desk.get(filled(path), **SEEN_BY, cursor=cursor, **asked)
            assert (answer.status_code, "cursor" in named(answer)) == (422, True), (
                f"{maker} → {path}"
            )
