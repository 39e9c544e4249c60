"""Sinks through the API: defined, versioned, tested, routed to; and the decisions about what was given up."""

import asyncio
import io
import json
import logging
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
import structlog

from services.sla.alerts.sender import Sender
from services.sla.alerts.senders import Senders
from services.sla.main import build
from services.sla.settings import Settings
from shared.events import encode
from shared.events.base import Owner, Priority
from shared.events.operations import SlaOperation, operations_stream
from shared.events.policies import AlertSinkDefined, sink_stream
from shared.eventstore import EventStore
from shared.observability.logs import configure_logging
from shared.security import Role
from shared.security.issuer import LocalIssuer
from shared.service import Service
from tests.integration.sla.support import MIGRATIONS, NOON, Desk, Story
from tests.integration.sla.test_vendor_sinks import ROUTING_KEY
from tests.integration.sla.vendors import Vendor, vendor
from tests.support.serving import serving
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration
HOUR = timedelta(hours=1)
HOOK_SECRET = "/services/T0/B0/slack-hook-secret"
SIGNATURE_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> LocalIssuer:
    return LocalIssuer(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def pagerduty() -> Iterator[Vendor]:
    with vendor("pagerduty") as made:
        yield made


@pytest.fixture
def slack() -> Iterator[Vendor]:
    with vendor("slack-webhook") as made:
        yield made


@pytest.fixture
def secrets(tmp_path: Path, slack: Vendor, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "hook").write_text(f"{slack.url}{HOOK_SECRET}\n")
    monkeypatch.setenv("TICKETING_SINK_PAGER", ROUTING_KEY)
    monkeypatch.setenv("TICKETING_SINK_SIGNATURE", SIGNATURE_SECRET)
    return tmp_path


class Office:
    """The service's API as different people, its desk, and its senders driven by hand."""

    def __init__(self, service: Service, settings: Settings, issuer: LocalIssuer) -> None:
        store = service.store
        assert isinstance(store, EventStore)
        self.desk = Desk(store, settings)
        self._issuer = issuer
        self.api = service.api
        self._transport = httpx2.ASGITransport(service.api)
        (task,) = [each for each in service._task_makers if isinstance(_owner(each), Senders)]
        self.senders: Senders = _owner(task)

    def client(self, role: Role = Role.ADMIN) -> httpx2.AsyncClient:
        headers = {"authorization": f"Bearer {self.token(role)}"}
        return httpx2.AsyncClient(transport=self._transport, base_url="http://sla", headers=headers)

    def token(self, role: Role) -> str:
        return self._issuer.issue("sue", role)

    async def put(self, name: str, **document: Any) -> httpx2.Response:
        async with self.client() as client:
            return await client.put(f"/v1/oncall/sinks/{name}", json=document)

    async def get(self, path: str) -> Any:
        async with self.client() as client:
            answer = await client.get(f"/v1/oncall/{path}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, path: str) -> httpx2.Response:
        async with self.client() as client:
            return await client.post(f"/v1/oncall/{path}")

    async def send(self) -> None:
        """Let every sender say what is due now; their own loops rest meanwhile."""
        await self.senders.follow()
        for running in self.senders._running.values():
            while await running.sender.send_due() == 0:
                pass

    def breach(self, *stories: Story, **opened: Any) -> list[Story]:
        made = list(stories) or [Story()]
        self.desk.hear(*(story.opened(NOON, **opened) for story in made))
        self.desk.time_is(NOON + 2 * HOUR)
        return made


def _owner(task: Any) -> Any:
    return getattr(task, "__self__", None)


_SENDS = Sender.run


async def _rest(sender: Sender) -> None:
    """Stands in for a sender's own loop, so that the test decides when something is sent."""
    try:
        while not sender._is_stopping:
            await sender._alarm.wait(60)
    finally:
        await sender._sink.close()


@pytest.fixture
async def office(
    settings: Settings, issuer: LocalIssuer, secrets: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Office]:
    monkeypatch.setattr(Sender, "run", _rest)
    service = build(
        settings.model_copy(
            update={"jwks_file": Path(issuer.jwks_file), "alert_secrets_folder": secrets}
        )
    )
    service.store.open()
    service.store.migrate("shared.messaging", *MIGRATIONS)
    made = Office(service, settings, issuer)
    made.desk.policy(targets=[{"metric": "first_reply", "seconds": 3_600}])
    yield made
    for name in list(made.senders._running):
        await made.senders._end(name)
    await service.stop()


def pager(server: Vendor, **more: Any) -> dict[str, Any]:
    return {
        "kind": "pagerduty",
        "routing_key": "env:TICKETING_SINK_PAGER",
        "url": f"{server.url}/v2/enqueue",
    } | more


async def test_a_sink_is_made_versioned_and_shown_without_its_secret(
    office: Office, pagerduty: Vendor
) -> None:
    made = await office.put("pager", **pager(pagerduty))
    assert (made.status_code, made.headers["etag"]) == (200, '"1"')
    same = await office.put("pager", **pager(pagerduty))
    assert same.json()["version"] == 1, "the same again changes nothing"
    changed = await office.put("pager", **pager(pagerduty, per_minute_max=5))
    assert (changed.json()["version"], changed.json()["recorded_by"]) == (2, "sue")
    async with office.client() as client:
        stale = await client.put(
            "/v1/oncall/sinks/pager", json=pager(pagerduty), headers={"if-match": '"1"'}
        )
        assert stale.status_code == 412
        first = await client.get("/v1/oncall/sinks/pager?version=1")
        assert "per_minute_max" not in first.json()["definition"]
        listed = await client.get("/v1/oncall/sinks")
        assert [item["id"] for item in listed.json()["items"]] == ["pager"]
        assert ROUTING_KEY not in listed.text + first.text + changed.text
        missing = await client.get("/v1/oncall/sinks/none")
        assert missing.status_code == 404


async def test_every_change_of_a_sink_is_an_event_that_tells_no_secret(
    office: Office, pagerduty: Vendor
) -> None:
    hook = {"kind": "webhook", "secret": "env:TICKETING_SINK_SIGNATURE"}
    await office.put("hook", **hook, url="https://user:word@hooks.example.com/in?token=1234")
    await office.put("hook", **hook, url="https://hooks.example.com/other", enabled=False)
    office.senders._documents = {"hook2": pager(pagerduty)}
    await office.senders._take_over(office.senders._documents)
    first, second = office.desk.store.history(sink_stream("hook"))
    (of_file,) = office.desk.store.history(sink_stream("hook2"))
    for event in (first, second, of_file):
        assert isinstance(event, AlertSinkDefined)
    assert (first.actor.id, first.source, first.previous) == ("sue", "api", None)
    assert first.definition["url"] == second.definition["url"] == "https://hooks.example.com/…"
    assert (second.previous, second.definition["enabled"]) == (first.definition, False)
    assert (of_file.actor.id, of_file.source) == ("settings file", "file")
    told = b"".join(encode(event) for event in (first, second, of_file))
    assert not any(secret in told for secret in (b"word", b"1234", b"other", b"whsec"))


async def test_only_admins_define_and_test_and_customers_see_nothing(
    office: Office, pagerduty: Vendor
) -> None:
    await office.put("pager", **pager(pagerduty))
    for role, reads in ((Role.SUPERVISOR, 200), (Role.AGENT, 403), (Role.CUSTOMER, 403)):
        async with office.client(role) as client:
            put = await client.put("/v1/oncall/sinks/pager", json=pager(pagerduty))
            test = await client.post("/v1/oncall/sinks/pager/test")
            read = await client.get("/v1/oncall/sinks")
            log = await client.get("/v1/oncall/deliveries")
        assert (put.status_code, test.status_code, read.status_code) == (403, 403, reads)
        assert log.status_code == (403 if role is Role.CUSTOMER else 200)


async def test_a_document_with_faults_is_refused_by_field(office: Office) -> None:
    refused = await office.put("pager", kind="pagerduty", routing_key=ROUTING_KEY)
    assert refused.status_code == 422
    assert [error["field"] for error in refused.json()["errors"]] == ["routing_key"]
    assert ROUTING_KEY not in refused.text
    bad_name = await office.put("Not a slug", kind="teams", url="file:hook")
    assert bad_name.status_code == 422


async def test_alerts_go_where_the_routing_says_and_their_ends_follow_them(
    office: Office, pagerduty: Vendor, slack: Vendor
) -> None:
    await office.put("pager", **pager(pagerduty, when={"priorities": ["urgent"]}))
    await office.put("chat", kind="slack", webhook_url="file:hook")
    (urgent,) = office.breach(priority=Priority.URGENT)
    (low,) = office.breach(priority=Priority.LOW)
    await office.send()
    assert [heard.json["event_action"] for heard in pagerduty.heard] == ["trigger"]
    assert len(slack.heard) == 2
    await office.put("pager", **pager(pagerduty, when={"priorities": ["low"]}))
    office.desk.hear(urgent.agent_replied(NOON + 3 * HOUR), low.agent_replied(NOON + 3 * HOUR))
    await office.send()
    assert [heard.json["event_action"] for heard in pagerduty.heard] == ["trigger", "resolve"]
    assert {heard.json["dedup_key"] for heard in pagerduty.heard} == {
        f"sla:{urgent.ticket_id}:first_reply:1"
    }
    assert len(slack.heard) == 4
    assert pagerduty.faults + slack.faults == []


async def test_a_disabled_sink_gets_nothing_new_and_keeps_what_waits(
    office: Office, pagerduty: Vendor
) -> None:
    await office.put("pager", **pager(pagerduty))
    (story,) = office.breach()
    await office.put("pager", **pager(pagerduty, enabled=False))
    office.breach()
    await office.send()
    assert pagerduty.heard == []
    state = await office.get("sinks/pager")
    assert (state["waiting"], state["breaker"], state["problem"]) == (1, None, None)
    await office.put("pager", **pager(pagerduty))
    await office.send()
    assert [heard.json["dedup_key"] for heard in pagerduty.heard] == [
        f"sla:{story.ticket_id}:first_reply:1"
    ]


async def test_a_missing_secret_is_told_and_the_alert_waits_until_it_is_there(
    office: Office, pagerduty: Vendor, secrets: Path
) -> None:
    await office.put("pager", **pager(pagerduty, routing_key="file:pager"))
    office.breach()
    await office.send()
    assert "file:pager" in (await office.get("sinks/pager"))["problem"]
    assert (await office.post("sinks/pager/test")).status_code == 409
    (secrets / "pager").write_text(ROUTING_KEY)
    await office.send()
    assert len(pagerduty.heard) == 1
    (secrets / "pager").write_text(ROUTING_KEY[::-1])
    office.breach()
    await office.send()
    assert pagerduty.heard[-1].json["routing_key"] == ROUTING_KEY[::-1], "rotated without a restart"


async def test_the_test_button_says_what_became_of_it(office: Office, pagerduty: Vendor) -> None:
    await office.put("pager", **pager(pagerduty, enabled=False))
    tested = (await office.post("sinks/pager/test")).json()
    assert (tested["delivered"], tested["http_status"]) == (True, 202)
    begun, ended = (heard.json for heard in pagerduty.heard)
    assert (begun["event_action"], ended["event_action"]) == ("trigger", "resolve")
    assert begun["dedup_key"] == ended["dedup_key"]
    assert "Test" in begun["payload"]["summary"]
    pagerduty.answers = [(503, {}, b"")]
    failed = (await office.post("sinks/pager/test")).json()
    assert (failed["delivered"], failed["http_status"]) == (False, 503)
    assert (await office.get("deliveries"))["items"] == [], "a test is in no ticket's log"
    assert (await office.post("sinks/none/test")).status_code == 404
    noted = office.desk.store.history(operations_stream(Owner.SLA, "pager"))
    assert [one.what for one in noted if isinstance(one, SlaOperation)] == ["sink.test"] * 2


async def test_what_was_given_up_is_replayed_or_discarded(
    office: Office, pagerduty: Vendor
) -> None:
    await office.put("pager", **pager(pagerduty))
    pagerduty.answers = [(400, {}, b"{}")] * 3
    stories = [Story(number=number) for number in range(3)]
    office.breach(*stories)
    await office.send()
    dead = (await office.get("deliveries?status=dead"))["items"]
    assert len(dead) == 3
    assert {each["last_http_status"] for each in dead} == {400}
    assert (await office.get("sinks/pager"))["dead"] == 3
    by_number = {each["number"]: each["delivery_id"] for each in dead}
    replayed = await office.post(f"deliveries/{by_number[0]}/replay")
    assert (replayed.status_code, replayed.json()["status"]) == (200, "waiting")
    await office.send()
    shown = await office.get(f"deliveries/{by_number[0]}")
    assert (shown["status"], [each["http_status"] for each in shown["tries"]]) == (
        "delivered",
        [400, 202],
    )
    assert shown["decided_by"] == "sue"
    assert (await office.post(f"deliveries/{by_number[0]}/replay")).status_code == 409
    discarded = await office.post(f"deliveries/{by_number[1]}/discard")
    assert discarded.json()["status"] == "discarded"
    assert (await office.post(f"deliveries/{by_number[1]}/discard")).status_code == 200
    noted = [
        one
        for story in stories
        for one in office.desk.store.history(operations_stream(Owner.SLA, story.ticket_id))
        if isinstance(one, SlaOperation)
    ]
    assert [(one.what, one.actor.id, one.changes) for one in noted] == [
        ("delivery.replay", "sue", {"status": ("dead", "waiting")}),
        ("delivery.discard", "sue", {"status": ("dead", "discarded")}),
    ]
    office.desk.hear(stories[2].agent_replied(NOON + 3 * HOUR))
    late = await office.post(f"deliveries/{by_number[2]}/replay")
    assert (late.status_code, "over" in late.json()["detail"]) == (409, True)
    assert (await office.post(f"deliveries/{by_number[0]}/discard")).status_code == 409
    async with office.client(Role.AGENT) as client:
        denied = await client.post(f"/v1/oncall/deliveries/{by_number[2]}/discard")
    assert denied.status_code == 403


async def test_the_log_is_read_page_by_page(office: Office, pagerduty: Vendor) -> None:
    await office.put("pager", **pager(pagerduty))
    office.breach(*(Story(number=number) for number in range(5)))
    first = await office.get("deliveries?limit=3&sink=pager")
    second = await office.get(f"deliveries?limit=3&sink=pager&cursor={first['next_cursor']}")
    seen = [each["delivery_id"] for each in first["items"] + second["items"]]
    assert len(set(seen)) == 5
    assert second["next_cursor"] is None
    assert (await office.get("deliveries?sink=other"))["items"] == []


async def test_no_secret_is_ever_logged_or_kept(
    office: Office, pagerduty: Vendor, slack: Vendor, secrets: Path
) -> None:
    out, before = io.StringIO(), structlog.get_config()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    configure_logging(service="sla", level="DEBUG", stream=out)
    # Loggers that are used here for the first time must not keep this stream for the tests that follow.
    structlog.configure(cache_logger_on_first_use=False)
    try:
        with ExitStack() as vendors:
            receivers = {
                "pager": pager(pagerduty),
                "chat": {"kind": "slack", "webhook_url": "file:hook"},
                "hook": {
                    "kind": "webhook",
                    "url": f"{vendors.enter_context(vendor('teams')).url}/x",
                    "secret": "env:TICKETING_SINK_SIGNATURE",
                },
                "other": {"kind": "apprise", "url": "file:apprise"},
            }
            host = slack.url.removeprefix("http://")
            (secrets / "apprise").write_text(f"json://user:apprise-secret@{host}/x")
            for name, document in receivers.items():
                assert (await office.put(name, **document)).status_code == 200
            pagerduty.answers = [(500, {}, b"no")]
            slack.answers = [(403, {}, b"no")]
            office.breach()
            await office.send()
            for name in receivers:
                await office.post(f"sinks/{name}/test")
    finally:
        structlog.configure(**before)
        root.handlers[:] = handlers
        root.setLevel(level)
    kept = json.dumps([await office.get("deliveries"), await office.get("alerts")])
    written = out.getvalue()
    assert "alert_not_delivered" in written, "the failures were told"
    for secret in (ROUTING_KEY, HOOK_SECRET, SIGNATURE_SECRET, "apprise-secret"):
        assert secret not in written
        assert secret not in kept


async def test_a_settings_file_comes_into_force_and_cannot_be_changed_through_the_api(
    office: Office, pagerduty: Vendor
) -> None:
    office.senders._documents = {"pager": pager(pagerduty)}
    await office.senders._take_over(office.senders._documents)
    shown = await office.get("sinks/pager")
    assert (shown["source"], shown["recorded_by"], shown["version"]) == (
        "file",
        "settings file",
        1,
    )
    refused = await office.put("pager", **pager(pagerduty, enabled=False))
    assert (refused.status_code, "settings file" in refused.json()["detail"]) == (409, True)
    await office.senders._take_over({"pager": pager(pagerduty)})
    assert (await office.get("sinks/pager"))["version"] == 1, "a restart changes nothing"
    await office.senders._take_over({})
    assert (await office.get("sinks/pager"))["definition"]["enabled"] is False


async def test_the_loop_follows_a_document_that_another_process_changed(
    office: Office, pagerduty: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Sender, "run", _SENDS)
    running = asyncio.create_task(office.senders.run())
    try:
        await office.put("pager", **pager(pagerduty))
        office.breach()
        await eventually(lambda: bool(pagerduty.heard))
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert pagerduty.heard[0].json["event_action"] == "trigger"


@pytest.fixture
async def address(office: Office) -> AsyncIterator[str]:
    """The service's API on a port, for programs outside."""
    async with serving(office.api) as listening:
        yield f"http://{listening}"


async def test_the_command_line_lists_shows_replays_and_discards(
    office: Office, pagerduty: Vendor, address: str
) -> None:
    async def ticketing(*arguments: str) -> tuple[int | None, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "deploy.cli", "alerts", *arguments, "--url", address),
            env={**os.environ, "TICKETING_TOKEN": office.token(Role.SUPERVISOR), "COLUMNS": "200"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        return process.returncode, said.decode()

    assert await ticketing("list") == (0, "There are none.\n")
    await office.put("pager", **pager(pagerduty))
    pagerduty.answers = [(400, {}, b"{}")] * 3
    stories = office.breach(*(Story(number=number) for number in range(3)))
    await office.send()
    code, listed = await ticketing("list", "--sink", "pager")
    assert (code, listed.count("dead"), listed.count("answered 400")) == (0, 3, 3)
    one, two, three = (each["delivery_id"] for each in (await office.get("deliveries"))["items"])
    code, shown = await ticketing("show", one)
    assert (code, json.loads(shown)["tries"][0]["http_status"]) == (0, 400)
    assert await ticketing("replay", one) == (0, "replay: 1 done, 0 passed over\n")
    assert await ticketing("discard", two) == (0, "discard: 1 done, 0 passed over\n")
    code, again = await ticketing("replay", one)
    assert (code, "only what was given up" in again) == (1, True)
    code, said = await ticketing("replay", "--all")
    assert (code, "--sink" in said) == (2, True)
    office.desk.hear(*(story.agent_replied(NOON + 3 * HOUR) for story in stories))
    code, said = await ticketing("replay", "--all", "--sink", "pager")
    assert code == 0
    assert f"{three}: 409" in said
    assert "replay: 0 done, 1 passed over" in said, "its alert is over"
