"""A log line is one JSON object, carries its correlation, and tells no secrets."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from shared.observability.correlation import correlated
from shared.observability.logs import configure_logging
from shared.observability.redaction import scrub


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    before = structlog.get_config()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logging(service="intake", stream=stream)
    yield stream
    structlog.configure(**before)
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_line_has_its_fields_service_time_and_correlation(out: io.StringIO) -> None:
    with correlated("c-9"):
        structlog.get_logger("x").info("ticket_opened", ticket_id="t-1", seconds=0.5)
    [line] = lines(out)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "ticket_opened",
        "level": "info",
        "service": "intake",
        "correlation_id": "c-9",
        "ticket_id": "t-1",
        "seconds": 0.5,
    }


def test_lines_of_libraries_look_the_same(out: io.StringIO) -> None:
    logging.getLogger("somelibrary").warning("lost %s", "postgresql://u:hunter2@host/db")
    [line] = lines(out)
    assert line["event"] == "lost postgresql://u:[redacted]@host/db"
    assert (line["level"], line["service"], line["logger"]) == ("warning", "intake", "somelibrary")


def test_below_the_level_nothing_is_written(out: io.StringIO) -> None:
    structlog.get_logger("x").debug("detail")
    logging.getLogger("aiokafka.consumer").info("chatter")
    logging.getLogger("uvicorn.access").info("GET /")
    assert out.getvalue() == ""


def test_a_traceback_stays_on_its_line(out: io.StringIO) -> None:
    try:
        int("token=abc123 for anna@example.org")
    except ValueError:
        structlog.get_logger("x").exception("failed")
    [line] = lines(out)
    assert "ValueError" in line["exception"]
    assert "abc123" not in line["exception"]
    assert "anna@" not in line["exception"]


@pytest.mark.parametrize(
    "odd", ["\ud800", {"\ud800": 1}, {1: "\ud800"}, object(), b"\xff", {1, 2}, [["deep"]], 10**400]
)
def test_no_value_loses_a_line(out: io.StringIO, odd: Any) -> None:
    structlog.get_logger("x").info("odd", value=odd)
    assert len(lines(out)) == 1


@pytest.mark.parametrize(
    "name",
    [
        *(
            "authorization",
            "Cookie",
            "token",
            "api_token",
            "password",
            "client_secret",
            "private_key",
        ),
        *(
            "email",
            "from_address",
            "body",
            "subject",
            "message_text",
            "database_url",
            "signing_pem",
        ),
    ],
)
def test_fields_of_these_names_are_masked(out: io.StringIO, name: str) -> None:
    structlog.get_logger("x").info("fact", **{name: "classified"}, nested={name: ["classified"]})
    assert "classified" not in out.getvalue()
    assert "[redacted]" in out.getvalue()


@pytest.mark.parametrize("name", ["ticket_id", "tokens_checked", "status", "reason", "bodywork"])
def test_fields_of_other_names_are_told(out: io.StringIO, name: str) -> None:
    structlog.get_logger("x").info("fact", **{name: "plain"})
    assert "plain" in out.getvalue()


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("redis://:pw@h:1/0", "redis://:[redacted]@h:1/0"),
        ("Authorization: Bearer abc.def-g", "Authorization: Bearer [redacted]"),
        ("got eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhIn0.c2ln here", "got [redacted] here"),
        ("mail of anna.b+c@mail.example.org", "mail of [redacted]"),
        ("password=hunter2 host=db", "password=[redacted] host=db"),
        ("connection to 127.0.0.1:5432 refused", "connection to 127.0.0.1:5432 refused"),
        ("2026-01-01T10:00:00Z a=b", "2026-01-01T10:00:00Z a=b"),
    ],
)
def test_secrets_inside_texts_are_masked(text: str, clean: str) -> None:
    assert scrub(text) == clean


def test_people_get_a_readable_form(out: io.StringIO) -> None:
    stream = io.StringIO()
    configure_logging(service="intake", log_format="console", stream=stream)
    structlog.get_logger("fresh").info("ticket_opened", ticket_id="t-1")
    assert "ticket_opened" in stream.getvalue()
    assert "ticket_id=t-1" in stream.getvalue()
    assert out.getvalue() == ""
