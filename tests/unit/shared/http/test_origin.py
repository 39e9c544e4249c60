"""Events learn from the request who did it, through what, and in which correlation."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI, Response

from shared.errors import Forbidden, Invalid
from shared.events.base import Actor, ActorKind, Channel
from shared.http.bodies import json_answer
from shared.http.origin import Origin, RequestOrigin
from shared.security import Principal, Role

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def origin_of(role: Role) -> Origin:
    principal = Principal("p", role)
    return Origin(principal.actor, Channel.API, "c", principal)


@pytest.mark.parametrize(
    ("role", "kind", "via"),
    [
        (Role.CUSTOMER, "customer", "api"),
        (Role.AGENT, "agent", "agent"),
        (Role.SUPERVISOR, "agent", "agent"),
        (Role.ADMIN, "agent", "agent"),
        (Role.SERVICE, "service", "api"),
    ],
)
async def test_the_request_tells(
    api: FastAPI, client: httpx2.AsyncClient, as_: Any, role: Role, kind: str, via: str
) -> None:
    @api.get("/origin")
    async def tell(origin: RequestOrigin) -> Response:
        return json_answer(origin)

    headers = as_(role, "pat") | {"X-Correlation-Id": "corr-1"}
    told = (await client.get("/origin", headers=headers)).json()
    assert told["actor"] == {"kind": kind, "id": "pat", "ip": "127.0.0.1"}
    assert told["via"] == via
    assert told["correlation_id"] == "corr-1"


async def test_nobody_has_no_origin(api: FastAPI, client: httpx2.AsyncClient) -> None:
    @api.get("/origin")
    async def tell(origin: RequestOrigin) -> Response:
        return json_answer(origin)

    assert (await client.get("/origin")).status_code == 401


@pytest.mark.parametrize("role", [Role.SERVICE, Role.ADMIN])
def test_imports_speak_of_the_past(role: Role) -> None:
    then = datetime(2016, 2, 29, 1, 16, tzinfo=timezone(timedelta(hours=2)))
    origin, at = origin_of(role).through(Channel.IMPORT, then, now=NOW)
    assert origin.via is Channel.IMPORT
    assert at == then
    assert at.tzinfo is UTC


@pytest.mark.parametrize("role", [Role.CUSTOMER, Role.AGENT, Role.SUPERVISOR])
def test_others_may_not_import_or_backdate(role: Role) -> None:
    with pytest.raises(Forbidden) as caught:
        origin_of(role).through(Channel.IMPORT, None, now=NOW)
    assert caught.value.field == "via"
    with pytest.raises(Forbidden) as caught:
        origin_of(role).through(None, NOW - timedelta(days=1), now=NOW)
    assert caught.value.field == "occurred_at"


def test_without_wishes_it_is_now_and_as_it_came() -> None:
    origin = origin_of(Role.CUSTOMER)
    assert origin.through(None, None, now=NOW) == (origin, NOW)


def test_another_channel_may_be_named() -> None:
    assert origin_of(Role.AGENT).through(Channel.PHONE, None, now=NOW)[0].via is Channel.PHONE


@pytest.mark.parametrize(
    "at",
    [
        NOW + timedelta(seconds=6),
        datetime(2020, 1, 1),  # noqa: DTZ001 - the point of it
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))),
        datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-12))),
    ],
)
def test_impossible_moments_are_refused(at: datetime) -> None:
    with pytest.raises(Invalid) as caught:
        origin_of(Role.SERVICE).through(Channel.IMPORT, at, now=NOW)
    assert caught.value.field == "occurred_at"


def test_a_clock_slightly_ahead_counts_as_now() -> None:
    at = NOW + timedelta(seconds=2)
    assert origin_of(Role.SERVICE).through(None, at, now=NOW)[1] == NOW


def test_the_system_channel_is_not_for_callers() -> None:
    with pytest.raises(Invalid) as caught:
        origin_of(Role.SERVICE).through(Channel.SYSTEM, None, now=NOW)
    assert caught.value.field == "via"


def test_a_stamp_carries_it_all() -> None:
    stamp = origin_of(Role.AGENT).stamp(3, NOW, NOW, causation_id="intake:x:2")
    assert stamp == {
        "version": 3,
        "occurred_at": NOW,
        "recorded_at": NOW,
        "actor": Actor(kind=ActorKind.AGENT, id="p"),
        "via": Channel.API,
        "correlation_id": "c",
        "causation_id": "intake:x:2",
    }
