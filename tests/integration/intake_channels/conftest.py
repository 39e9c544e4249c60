"""A running intake with its other channels on: phone, forms, messengers, chat; events in a real PostgreSQL."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.intake.channels.messengers import sender as messenger_sender
from services.intake.channels.messengers.sender import MessengerSender
from shared.security.issuer import LocalIssuer
from tests.integration.intake.conftest import agent, caller, importer, supervisor
from tests.integration.intake.desk import Desk
from tests.integration.intake_channels.served import served
from tests.integration.intake_channels.vendors import Vendors, open_vendors
from tests.integration.intake_mail.post import open_post
from tests.support.database import Database

__all__ = ["agent", "caller", "importer", "supervisor"]

IDENTITY_SECRET = "a secret that the shop and the desk share"
WEBHOOK_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MESSENGER_SECRET = "123456-a-secret-of-a-messenger"
SHOP = "https://shop.example"
PUBLIC_URL = "https://desk.example"

CHANNELS = """
forms:
  frame_ancestors: [https://shop.example]
  seconds_min: 0
  per_address_max: 1000
  tags: [form]
  group: first-line
  consent: I agree.
  texts: {send: Absenden}
chat:
  frame_ancestors: [https://shop.example]
  tags: [chat]
messengers:
  webhook:
    shop:
      secret: {env: TICKETING_TEST_WEBHOOK_SECRET}
      reply_url: http://127.0.0.1:PORT/webhook
      tags: [shop]
  telegram:
    support:
      token: {env: TICKETING_TEST_MESSENGER_SECRET}
      secret: {env: TICKETING_TEST_MESSENGER_SECRET}
      api: http://127.0.0.1:PORT
      group: first-line
  whatsapp:
    main:
      phone_number_id: "106540352242922"
      app_secret: {env: TICKETING_TEST_MESSENGER_SECRET}
      verify_token: {env: TICKETING_TEST_MESSENGER_SECRET}
      access_token: {env: TICKETING_TEST_MESSENGER_SECRET}
      api: http://127.0.0.1:PORT/v24.0
    templated:
      phone_number_id: "222"
      app_secret: {env: TICKETING_TEST_MESSENGER_SECRET}
      verify_token: {env: TICKETING_TEST_MESSENGER_SECRET}
      access_token: {env: TICKETING_TEST_MESSENGER_SECRET}
      api: http://127.0.0.1:PORT/v24.0
      template: support_reply
identity:
  secrets: [{env: TICKETING_TEST_IDENTITY_SECRET}]
phone:
  region: DE
  lines:
    - number: "+49 30 1000"
      name: Support
      group: first-line
      tags: [phone]
    - number: "+49 30 2000"
      opens: missed
    - number: "+49 30 3000"
      opens: never
      outbound_opens: true
"""


@pytest.fixture(scope="session")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> LocalIssuer:
    return LocalIssuer(Path(tmp_path_factory.mktemp("channels-issuer")))


@pytest.fixture(scope="session")
async def vendors() -> AsyncIterator[Vendors]:
    """What stands in for the messengers' own servers."""
    async with open_vendors() as opened:
        yield opened


@pytest.fixture(scope="session")
def channels_file(tmp_path_factory: pytest.TempPathFactory, vendors: Vendors) -> Path:
    file = tmp_path_factory.mktemp("channels") / "channels.yaml"
    file.write_text(CHANNELS.replace("PORT", str(vendors.port)), encoding="utf-8")
    return file


@pytest.fixture(scope="session")
async def desk(
    database: Database, issuer: LocalIssuer, channels_file: Path, tmp_path_factory
) -> AsyncIterator[Desk]:
    folder = tmp_path_factory.mktemp("files")
    os.environ["TICKETING_TEST_IDENTITY_SECRET"] = IDENTITY_SECRET
    os.environ["TICKETING_TEST_WEBHOOK_SECRET"] = WEBHOOK_SECRET
    os.environ["TICKETING_TEST_MESSENGER_SECRET"] = MESSENGER_SECRET
    async with open_post(
        database,
        issuer,
        None,
        folder,
        channels_file=channels_file,
        public_url=PUBLIC_URL,
        sensitive_tags="confidential",
    ) as opened:
        yield opened


@pytest.fixture(scope="session")
async def sender(desk: Desk) -> AsyncIterator[MessengerSender]:
    """The sender of messengers, at work: it looks often, and its pauses are short."""
    found = desk.running(MessengerSender)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(found, "_spread", lambda: 0.0)
        patch.setattr(messenger_sender, "LOOK_SECONDS", 0.02)
        patch.setattr(messenger_sender, "PAUSE_SECONDS", 0.02)
        work = asyncio.create_task(found.run())
        yield found
        work.cancel()
        await asyncio.wait([work])


@pytest.fixture(scope="session")
async def address(desk: Desk) -> AsyncIterator[str]:
    """Where the desk listens."""
    async with served(desk) as at:
        yield at


@pytest.fixture(scope="session")
async def second_desk(
    database: Database, issuer: LocalIssuer, channels_file: Path, desk: Desk, tmp_path_factory
) -> AsyncIterator[Desk]:
    """Another process of the same service."""
    folder = tmp_path_factory.mktemp("second-files")
    async with open_post(database, issuer, None, folder, channels_file=channels_file) as opened:
        yield opened
