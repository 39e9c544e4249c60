"""The caller's correlation id is kept when it is well-formed, and there always is one."""

from collections.abc import Iterable
from typing import Any

import pytest

from shared.observability.correlation import (
    CorrelationMiddleware,
    correlated,
    current_correlation_id,
    new_correlation_id,
)

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"


async def through(headers: Iterable[tuple[str, bytes]]) -> tuple[str, str]:
    """What the application saw and what the caller got."""
    seen: list[Any] = []
    sent: list[Any] = []

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        seen.append(current_correlation_id())
        await send({"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]})

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "headers": [(name.lower().encode(), value) for name, value in headers]}
    await CorrelationMiddleware(app)(scope, None, send)  # type: ignore[arg-type]
    assert current_correlation_id() is None
    answered = dict(sent[0]["headers"])
    assert answered[b"a"] == b"b"
    return seen[0], answered[b"x-correlation-id"].decode()


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([("X-Correlation-Id", b"order-7.a:b_c")], "order-7.a:b_c"),
        ([("traceparent", f"00-{TRACE}-{PARENT}-01".encode())], TRACE),
        ([("traceparent", f"01-{TRACE}-{PARENT}-01-more".encode())], TRACE),
        ([("traceparent", f"00-{TRACE}-{PARENT}-01".encode()), ("X-Correlation-Id", b"x")], "x"),
    ],
)
async def test_a_well_formed_one_is_kept(headers: list[tuple[str, bytes]], expected: str) -> None:
    assert await through(headers) == (expected, expected)


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("X-Correlation-Id", b"")],
        [("X-Correlation-Id", b"a b")],
        [("X-Correlation-Id", b"x" * 129)],
        [("X-Correlation-Id", b"a\xff")],
        [("X-Correlation-Id", b"<script>")],
        [("traceparent", b"garbage")],
        [("traceparent", f"00-{'0' * 32}-{PARENT}-01".encode())],
        [("traceparent", f"00-{TRACE}-{'0' * 16}-01".encode())],
        [("traceparent", f"ff-{TRACE}-{PARENT}-01".encode())],
        [("traceparent", f"00-{TRACE}-{PARENT}-01-more".encode())],
        [("traceparent", f"00-{TRACE.upper()}-{PARENT}-01".encode())],
    ],
)
async def test_a_malformed_one_is_replaced(headers: list[tuple[str, bytes]]) -> None:
    seen, answered = await through(headers)
    assert seen == answered
    assert len(seen) == 32
    assert int(seen, 16)


def test_new_ones_differ() -> None:
    assert len({new_correlation_id() for _ in range(100)}) == 100


def test_work_without_a_request_can_have_one_too() -> None:
    with correlated("event-1"):
        assert current_correlation_id() == "event-1"
        with correlated("event-2"):
            assert current_correlation_id() == "event-2"
        assert current_correlation_id() == "event-1"
    assert current_correlation_id() is None
