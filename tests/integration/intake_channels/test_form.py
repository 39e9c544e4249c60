"""The web form: a page that works without scripts, and what becomes of what it sends."""

import asyncio
import hashlib
import html
import re
import time
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx2
import jwt
import pytest
from pydantic import SecretStr

from services.intake.timers import ConfigurationWatch
from shared.events.tickets import TicketOpened
from shared.security.issuer import LocalIssuer
from tests.integration.intake.desk import Caller, Desk
from tests.integration.intake_channels.conftest import IDENTITY_SECRET, SHOP
from tests.integration.intake_mail.post import open_post
from tests.support.database import Database
from tests.support.servers import Servers

pytestmark = pytest.mark.integration

PNG = ("shot.png", b"\x89PNG not really", "image/png")
_SUBJECTS = count(1)


@pytest.fixture(autouse=True)
async def contact(supervisor: Caller) -> AsyncIterator[None]:
    """A form with a condition; gone afterwards, for other tests share the database."""
    customers = {"visible_to_customer": True, "editable_by_customer": True}
    fields = {
        "contact-reason": {
            "label": "Reason",
            "type": "choice",
            "options": ["order", "other"],
            **customers,
        },
        "order-number": {"label": "Order", "type": "integer", "min": 1, **customers},
        "secret-field": {"label": "Internal", "type": "text"},
    }
    for name, field in fields.items():
        assert (await supervisor.send("PUT", f"/v1/fields/{name}", field)).status_code == 200
    condition = {"field": "contact-reason", "one_of": ["order"]}
    contact = {
        "title": "Contact <us>",
        "tags": ["web"],
        "fields": [
            {"field": "contact-reason", "required": True},
            {"field": "order-number", "required": True, "visible_if": condition},
        ],
    }
    inside = {"title": "Inside", "is_public": False, "fields": [{"field": "secret-field"}]}
    forms = {"contact": contact, "inside": inside}
    for name, form in forms.items():
        answer = await supervisor.send("PUT", f"/v1/forms/{name}", form)
        assert answer.status_code == 200, answer.text
    yield
    for path in [*(f"forms/{name}" for name in forms), *(f"fields/{name}" for name in fields)]:
        await supervisor.send("DELETE", f"/v1/{path}")


async def stamp_of(desk: Desk, name: str = "contact") -> str:
    page = await desk.http.get(f"/forms/{name}")
    assert page.status_code == 200, page.text
    found = re.search(r'name="stamp" value="([^"]+)"', page.text)
    assert found
    return found[1]


async def send(desk: Desk, files: Any = None, **said: Any) -> httpx2.Response:
    fields = {
        "name": "Nora",
        "email": "Nora@x.example",
        "subject": f"Broken {next(_SUBJECTS)}",
        "body": "It is\r\nbroken.",
        "consent": "on",
        "website": "",
        "work": "",
        "field.contact-reason": "other",
    } | said
    fields.setdefault("stamp", await stamp_of(desk))
    sent = {name: value for name, value in fields.items() if value is not None}
    return await desk.http.post("/forms/contact", data=sent, files=files)


async def opened_by(desk: Desk, answer: httpx2.Response) -> TicketOpened:
    assert answer.status_code == 303, answer.text
    done = await desk.http.get(answer.headers["location"])
    found = re.search(r"#(\d+)", done.text)
    assert found, done.text
    rows = await desk.rows(
        "SELECT originator_id FROM intake_events WHERE originator_version = 1 AND state LIKE %s",
        f'%"number":{found[1]},%'.encode(),
    )
    (first, *_) = await desk.events(str(rows[0]["originator_id"]))
    assert isinstance(first, TicketOpened)
    return first


async def test_a_form_becomes_a_ticket_and_the_page_after_tells_its_number(desk: Desk):
    event = await opened_by(desk, await send(desk))
    assert (event.via, event.form, event.body) == ("form", "contact", "It is\nbroken.")
    assert event.tags == ("form", "web")
    assert event.fields == {"contact-reason": "other", "group": "first-line"}
    assert (event.requester.id, event.requester.name) == ("mailto:nora@x.example", "Nora")


async def test_conditional_answers_are_typed_and_those_not_asked_for_are_left_out(desk: Desk):
    asked = await opened_by(
        desk, await send(desk, **{"field.contact-reason": "order", "field.order-number": "12"})
    )
    assert asked.fields["order-number"] == 12
    unasked = await opened_by(desk, await send(desk, **{"field.order-number": "12"}))
    assert "order-number" not in unasked.fields


async def test_files_come_along(desk: Desk, agent: Caller):
    event = await opened_by(desk, await send(desk, files={"files": PNG}))
    listed = await agent.send("GET", f"/v1/tickets/{event.ticket_id}/attachments")
    (file,) = listed.json()["attachments"]
    assert (await desk.http.get(file["url"])).content == PNG[1]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"email": "nobody"}, "no e-mail address"),
        ({"subject": " "}, "subject is missing"),
        ({"consent": None}, "has to be ticked"),
        ({"website": "http://spam"}, "hidden field"),
        ({"stamp": "1.2.3"}, "open for too long"),
        ({"field.contact-reason": None}, "required by the form"),
        ({"field.contact-reason": "sideways"}, "expected one of"),
        ({"field.contact-reason": "order", "field.order-number": "many"}, "whole number"),
        ({"subject": "x" * 301}, "too long"),
    ],
)
async def test_what_is_wrong_is_said_on_the_page_and_nothing_written_is_lost(desk, said, words):
    answer = await send(desk, **said, body="Keep <this> & that.")
    assert answer.status_code == 422
    text = html.unescape(answer.text)
    assert words in text
    assert "Keep <this> & that." in text
    assert "Keep <this>" not in answer.text


async def test_the_page_that_names_a_fault_can_be_sent_again(desk: Desk):
    stamp = await stamp_of(desk)
    assert (await send(desk, stamp=stamp, email="x")).status_code == 422
    assert (await send(desk, stamp=stamp)).status_code == 303


async def test_a_page_sent_many_times_to_two_processes_at_once_is_one_ticket(
    desk: Desk, second_desk: Desk
):
    await asyncio.to_thread(second_desk.running(ConfigurationWatch)._intake.refresh_configuration)
    stamp = await stamp_of(desk)
    answers = await asyncio.gather(*(send(one, stamp=stamp) for one in (desk, second_desk) * 4))
    assert len({one.headers["location"] for one in answers}) == 1


async def test_files_that_run_are_refused_by_name(desk: Desk):
    answer = await send(desk, files={"files": ("virus.exe", b"MZ", "application/octet-stream")})
    assert answer.status_code == 422
    assert "virus.exe" in answer.text


async def test_only_named_sites_may_frame_it_and_nothing_runs_inline(desk: Desk):
    page = await desk.http.get("/forms/contact")
    policy = page.headers["content-security-policy"]
    assert f"frame-ancestors {SHOP}" in policy
    assert "unsafe" not in policy
    assert "<script>" not in page.text
    assert "Contact &lt;us&gt;" in page.text
    assert ">Absenden<" in page.text


@pytest.mark.parametrize("name", ["inside", "nothing"])
async def test_what_is_not_public_is_not_there(desk: Desk, name: str):
    assert (await desk.http.get(f"/forms/{name}")).status_code == 404
    assert (await desk.http.post(f"/forms/{name}", data={"a": "b"})).status_code == 404


async def test_a_number_is_shown_only_as_we_said_it(desk: Desk):
    location = (await send(desk)).headers["location"]
    forged = re.sub(r"number=\d+", "number=1", location)
    assert (await desk.http.get(forged)).status_code == 404
    assert urlsplit(location).path == "/forms/contact/done"


def a_token(secret: str = IDENTITY_SECRET, **said: Any) -> str:
    claims = {"sub": "shop-7", "name": "Nora N.", "exp": int(time.time()) + 600} | said
    return jwt.encode(claims, secret, algorithm="HS256")


async def test_a_signed_visitor_is_who_the_site_says(desk: Desk):
    event = await opened_by(desk, await send(desk, identity=a_token()))
    assert (event.requester.id, event.requester.name) == ("shop-7", "Nora N.")
    assert event.requester.email == "Nora@x.example"


@pytest.mark.parametrize(
    ("token", "words"),
    [
        (a_token(exp=1), "expired"),
        (a_token("another secret that nobody has shared"), "signature is wrong"),
        (jwt.encode({"sub": "x"}, IDENTITY_SECRET, algorithm="HS256"), "lacks sub or exp"),
        (jwt.encode({"sub": "x", "exp": 2**40}, None, algorithm="none"), "malformed"),
        ("nonsense", "malformed"),
    ],
)
async def test_a_forged_or_expired_visitor_is_refused_and_opens_nothing(desk, token, words):
    answer = await send(desk, identity=token)
    assert answer.status_code == 401
    assert words in answer.text


@pytest.fixture
async def strict(
    database: Database, issuer: LocalIssuer, desk: Desk, tmp_path: Path, servers: Servers
) -> AsyncIterator[Desk]:
    """Another process, with every guard up."""
    file = tmp_path / "channels.yaml"
    file.write_text(
        "forms: {seconds_min: 30, per_address_max: 2, per_address_seconds: 60, proof_of_work_bits: 8}"
    )
    redis = {"redis_url": SecretStr(servers.redis), "topic_prefix": f"test-{uuid4()}."}
    async with open_post(database, issuer, None, tmp_path, channels_file=file, **redis) as opened:
        yield opened


async def test_the_quick_and_the_many_are_told_to_wait(strict: Desk, supervisor: Caller):
    await supervisor.send("PUT", "/v1/forms/contact", {"title": "Contact"})
    other = Caller(strict, supervisor._headers["Authorization"].removeprefix("Bearer "))
    assert (await other.send("PUT", "/v1/forms/contact", {"title": "Contact"})).status_code == 200
    stamp = await stamp_of(strict)

    def work(*, is_done: bool) -> str:
        """One of 256 answers is right, so no answer at all may be, too."""
        return next(
            str(answer)
            for answer in range(100_000)
            if (hashlib.sha256(f"{stamp}:{answer}".encode()).digest()[0] == 0) is is_done
        )

    answer = await send(strict, stamp=stamp, work=work(is_done=False))
    assert answer.status_code == 422
    assert "very quick" in answer.text
    assert "work something out" in answer.text
    answer = await send(strict, stamp=stamp, work=work(is_done=True))
    assert "work something out" not in answer.text
    answer = await send(strict, stamp=stamp)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
