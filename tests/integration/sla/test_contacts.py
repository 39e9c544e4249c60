"""How the people whom alerts call are reached: who may say so, what is told of it, and that a page arrives there."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from services.sla.alerts import registry
from services.sla.alerts.documents import read_sink
from services.sla.alerts.kind import Parts
from services.sla.alerts.notice import Action, Called
from services.sla.alerts.secrets import Secrets
from services.sla.alerts.sender import Sender
from services.sla.alerts.slack import message
from services.sla.main import build
from services.sla.oncall import contacts
from services.sla.oncall.contacts import NewContact
from services.sla.settings import Settings
from shared.errors import Invalid
from shared.events import encode
from shared.events.base import Priority
from shared.events.policies import OncallContactDefined, contact_stream
from shared.eventstore import EventStore
from shared.security import Role
from shared.security.issuer import LocalIssuer
from tests.integration.sla.receivers import receiver
from tests.integration.sla.support import ADMIN_ORIGIN, MIGRATIONS, NOON, Desk, HandClock, Story
from tests.integration.sla.test_vendor_sinks import about
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration
PHONE = "+4930123456"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class Door:
    """The service's API as different people."""

    def __init__(self, transport: httpx2.ASGITransport, issuer: LocalIssuer) -> None:
        self._transport = transport
        self._issuer = issuer

    async def ask(
        self, who: str, role: Role, method: str, target: str, **more: Any
    ) -> httpx2.Response:
        headers = {"authorization": f"Bearer {self._issuer.issue(who, role)}"}
        headers |= more.pop("headers", {})
        async with httpx2.AsyncClient(
            transport=self._transport, base_url="http://sla", headers=headers
        ) as client:
            return await client.request(method, f"/v1/oncall/contacts{target}", **more)


@pytest.fixture
async def door(settings: Settings, tmp_path: Path, desk: Desk) -> AsyncIterator[Door]:
    issuer = LocalIssuer(tmp_path)
    service = build(settings.model_copy(update={"jwks_file": Path(issuer.jwks_file)}))
    service.store.open()
    service.store.migrate("shared.messaging", *MIGRATIONS)
    yield Door(httpx2.ASGITransport(service.api), issuer)
    await service.stop()


def say(desk: Desk, target: str, **said: Any) -> None:
    desk.store.transact(
        lambda tx: contacts.define(tx, target, NewContact(**said), origin=ADMIN_ORIGIN)
    )


async def test_an_agent_says_how_to_be_reached_and_nobody_else_but_supervisors_sees_it(
    door: Door,
) -> None:
    said = {"phone": PHONE, "email": "anna@example.com"}
    made = await door.ask("anna", Role.AGENT, "PUT", "/agent:anna", json=said)
    assert (made.status_code, made.headers["etag"]) == (200, '"1"')
    assert (await door.ask("anna", Role.AGENT, "GET", "/agent:anna")).json()["phone"] == PHONE
    for method, target in (("GET", "/agent:anna"), ("DELETE", "/agent:anna"), ("GET", "")):
        assert (await door.ask("ben", Role.AGENT, method, target)).status_code == 403
    assert (await door.ask("carl", Role.CUSTOMER, "GET", "/agent:carl")).status_code == 403
    listed = await door.ask("sue", Role.SUPERVISOR, "GET", "")
    assert [one["target"] for one in listed.json()["items"]] == ["agent:anna"]
    stale = await door.ask(
        "sue", Role.SUPERVISOR, "PUT", "/agent:anna", json=said, headers={"if-match": '"7"'}
    )
    assert stale.status_code == 412


async def test_what_is_forgotten_is_gone_and_events_never_tell_an_address(
    door: Door, desk: Desk
) -> None:
    await door.ask("anna", Role.AGENT, "PUT", "/agent:anna", json={"phone": PHONE})
    gone = await door.ask("anna", Role.AGENT, "DELETE", "/agent:anna")
    assert gone.status_code == 204
    for method in ("GET", "DELETE"):
        assert (await door.ask("anna", Role.AGENT, method, "/agent:anna")).status_code == 404
    rows = desk.store.transact(lambda tx: tx.cursor.execute("TABLE oncall_contacts").fetchall())
    assert PHONE not in str(rows)
    first, second = desk.store.history(contact_stream("agent:anna"))
    assert isinstance(first, OncallContactDefined)
    assert isinstance(second, OncallContactDefined)
    assert (first.ways, second.previous_ways, second.ways) == (("phone",), ("phone",), ())
    assert PHONE.encode() not in encode(first) + encode(second)
    again = await door.ask("anna", Role.AGENT, "PUT", "/agent:anna", json={"slack": "U012AB3CD"})
    assert again.json()["version"] == 3


@pytest.mark.parametrize(
    ("target", "said", "field"),
    [
        ("anna", {"phone": PHONE}, "target"),
        ("agent:anna", {}, ""),
        ("agent:anna", {"phone": "030 12"}, "phone"),
        ("agent:anna", {"email": "Anna <anna@example.com>"}, "email"),
        ("agent:anna", {"slack": "@anna"}, "slack"),
        ("agent:anna", {"agents": ("ben",)}, "agents"),
        ("lead:technical", {"agents": ("Not An Id",)}, "agents[0]"),
    ],
)
def test_what_reaches_nobody_is_refused_by_its_field(
    desk: Desk, target: str, said: dict[str, Any], field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        say(desk, target, **said)
    assert [error.field for error in refused.value.errors] == [field]


def test_a_lead_a_group_and_a_role_are_those_whom_somebody_named(desk: Desk) -> None:
    say(desk, "agent:anna", phone=PHONE)
    say(desk, "lead:technical", agents=("anna", "ben"))
    say(desk, "role:supervisor", email="supervisors@example.com", agents=("anna",))
    reached = desk.store.transact(
        lambda tx: contacts.reach(tx, ["lead:technical", "role:supervisor", "group:technical"])
    )
    assert reached == (
        Called(target="role:supervisor", email="supervisors@example.com"),
        Called(target="group:technical"),
        Called(target="agent:anna", phone=PHONE),
        Called(target="agent:ben"),
    )


def test_slack_calls_by_name_when_it_begins_and_not_again() -> None:
    called = (Called(target="agent:anna", slack="U012AB3CD"), Called(target="agent:ben"))
    begun = message(about(Action.TRIGGER, called=called), None)
    assert "<@U012AB3CD>" in str(begun["blocks"])
    assert "<@U012AB3CD>" not in str(message(about(Action.RESOLVE, called=called), None))


async def test_a_page_arrives_with_the_address_of_the_one_who_is_called(
    desk: Desk, settings: Settings
) -> None:
    say(desk, "agent:anna", phone=PHONE)
    with receiver() as gateway:
        definition = {
            "kind": "webhook", "url": gateway.url, "secret": "env:TICKETING_SINK_GATEWAY", "to_called": True,
        }  # fmt: skip
        desk.store.transact(
            lambda tx: registry.define(
                tx, "gateway", definition, origin=ADMIN_ORIGIN, reserved=frozenset()
            )
        )
        store: EventStore[Any] = desk.store
        parts = Parts(
            secrets=Secrets({"TICKETING_SINK_GATEWAY": SECRET}, None),
            timeout_seconds=5,
            private_addresses_allowed=True,
        )
        sink = read_sink(definition).build("gateway", parts)
        page = {"levels": [{"agent": "anna"}]}
        ladder = [{"steps": [{"seconds_after": 0, "page": page}]}]
        targets = [{"metric": "first_reply", "seconds": 3_600}]
        urgent = {"all": [{"field": "priority", "value": "urgent"}]}
        desk.policy("called", targets=targets, escalation=ladder, conditions=urgent)
        desk.policy(targets=targets)
        desk.hear(Story(number=7).opened(NOON, priority=Priority.URGENT))
        desk.hear(Story(number=8).opened(NOON))
        desk.time_is(NOON.replace(hour=15))
        sender = Sender(store=store, sink=sink, settings=settings, clock=HandClock(_now(desk)))
        await eventually(lambda: _sends(sender), what="nothing is left to send")
        (sent,) = gateway.got
        data = sent.json["data"]
        assert (data["number"], data["targets"]) == (7, ["agent:anna"])
        assert [(one["target"], one["phone"]) for one in data["called"]] == [("agent:anna", PHONE)]
        await sink.close()


async def _sends(sender: Sender) -> bool:
    return await sender.send_due() > 0


def _now(desk: Desk) -> Any:
    return desk.store.transact(lambda tx: tx.now)
