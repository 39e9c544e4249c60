"""Who fetches a file of a sensitive ticket is recorded in the log of intake, before the file is given."""

import asyncio
from collections.abc import AsyncIterator, Callable
from uuid import UUID

import pytest

from shared.database import Transaction
from shared.events import Event
from shared.events.readings import ReadingRecorded, readings_stream
from shared.security import Role
from shared.security.issuer import LocalIssuer
from tests.integration.intake.desk import Caller, Desk
from tests.integration.intake_attachments.test_files import PNG, listed, upload
from tests.integration.intake_mail.post import Post, a_mail, open_post
from tests.support.database import Database

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
async def house(
    database: Database, issuer: LocalIssuer, mailboxes_file, tmp_path_factory
) -> AsyncIterator[Desk]:
    folder = tmp_path_factory.mktemp("readings")
    async with open_post(database, issuer, mailboxes_file, folder, sensitive_tags="vip") as opened:
        yield opened


@pytest.fixture
def caller(house: Desk, issuer: LocalIssuer) -> Callable[[str, Role], Caller]:
    return lambda subject, role: Caller(house, issuer.issue(subject, role, name=subject.title()))


async def readings(house: Desk, ticket_id: str) -> list[Event]:
    return await house.events(str(readings_stream(UUID(ticket_id))))


async def test_an_agents_fetching_is_recorded_each_time_and_a_customers_is_not(caller, house: Desk):
    ben, anna = caller("ben", Role.CUSTOMER), caller("anna", Role.AGENT)
    ticket_id = (await ben.open(attachments=[await upload(ben, name="contract.png")]))["ticket_id"]
    (file,) = await listed(anna, ticket_id)
    assert (await anna.send("GET", file["url"])).content == PNG
    path = f"/v1/tickets/{ticket_id}/attachments/{file['id']}"
    assert (await anna.send("GET", path)).content == PNG
    assert await readings(house, ticket_id) == []  # not sensitive yet
    tagged = await anna.send("PATCH", f"/v1/tickets/{ticket_id}", {"add_tags": ["vip"]})
    version = tagged.json()["version"]
    (file,) = await listed(anna, ticket_id)
    assert file["url"] == path  # asks for a token: a link would tell of nobody
    assert (await house.http.get(path)).status_code == 401
    for _ in range(2):
        assert (await anna.send("GET", path)).content == PNG
    read, again = await readings(house, ticket_id)
    assert isinstance(read, ReadingRecorded)
    assert (read.actor.id, read.actor.name, read.actor.ip) == ("anna", "Anna", "127.0.0.1")
    assert (str(read.ticket_id), read.ticket_version) == (ticket_id, version)
    assert (str(read.attachment_id), read.name) == (file["id"], "contract.png")
    assert (read.reasons, read.is_original, again.version) == (("tag:vip",), False, 2)
    (own,) = await listed(ben, ticket_id)
    assert "signature" in own["url"]
    for url in (own["url"], path):
        assert (await ben.send("GET", url)).content == PNG
    assert len(await readings(house, ticket_id)) == 2


async def test_the_mail_as_it_came_is_such_a_file(caller, house: Desk):
    anna = caller("anna", Role.AGENT)
    ticket_id = (await Post(house, anna).bring(a_mail()))["ticket_id"]
    await anna.send("PATCH", f"/v1/tickets/{ticket_id}", {"add_tags": ["vip"]})
    (original,) = await listed(anna, ticket_id)
    assert (await anna.send("GET", original["url"])).status_code == 200
    (read,) = await readings(house, ticket_id)
    assert isinstance(read, ReadingRecorded)
    assert (read.name, read.is_original) == ("original.eml", True)


async def test_what_cannot_be_recorded_is_not_given(caller, house: Desk):
    anna = caller("anna", Role.AGENT)
    ticket_id = (await anna.open(is_internal=True, attachments=[await upload(anna)]))["ticket_id"]
    (file,) = await listed(anna, ticket_id)

    async def rule(statement: str) -> None:
        def work(tx: Transaction) -> None:
            tx.cursor.execute(statement)  # type: ignore[call-overload]

        await asyncio.to_thread(house.store.transact, work)

    await rule(
        "ALTER TABLE intake_events ADD CONSTRAINT no_readings CHECK (topic <> 'reading.recorded.v1') NOT VALID"
    )
    try:
        answer = await anna.send("GET", file["url"])
    finally:
        await rule("ALTER TABLE intake_events DROP CONSTRAINT no_readings")
    assert answer.status_code == 500
    assert PNG not in answer.content
    assert (await anna.send("GET", file["url"])).content == PNG
    assert len(await readings(house, ticket_id)) == 1
