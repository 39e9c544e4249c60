"""Every channel has the same small interface, and is off until it is configured."""

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import services.intake.channels
from services.intake.attachments.store import FolderStore
from services.intake.channels.identity import IdentityTokens
from services.intake.channels.installed import Channels
from services.intake.channels.kind import House, Parts
from services.intake.main import CHANNELS
from services.intake.settings import Settings
from services.intake.surveys.desk import Surveys
from services.intake.timers import SurveyTimer
from shared.clock import SystemClock
from shared.security import Role
from shared.security.issuer import LocalIssuer
from tests.integration.intake.desk import Caller, Desk
from tests.integration.intake_mail.post import open_post
from tests.support.database import Database

pytestmark = pytest.mark.integration

PACKAGES = {
    folder.name
    for folder in Path(services.intake.channels.__path__[0]).iterdir()
    if (folder / "parts.py").exists()
}


def test_the_service_builds_every_channel_that_there_is() -> None:
    assert {"chat", "form", "mail", "messengers", "phone"} == PACKAGES
    wanted = {import_module(f"services.intake.channels.{name}.parts").build for name in PACKAGES}
    assert set(CHANNELS) == wanted


def a_house(desk: Desk, folder: Path) -> House:
    """A house in which nothing is switched on."""
    surveys: Surveys = desk.running(SurveyTimer)._act.__self__
    settings: Any = desk.service.settings
    assert isinstance(settings, Settings)
    nothing = {"channels_file": None, "mailboxes_file": None}
    return House(
        intake=surveys.intake,
        store=desk.store,
        contents=FolderStore(folder),
        clock=SystemClock(),
        settings=settings.model_copy(update=nothing),
        channels=Channels(),
        identity=IdentityTokens([]),
    )


async def test_a_channel_that_is_off_listens_to_nobody_and_sends_nothing(
    desk: Desk, tmp_path: Path
):
    house = a_house(desk, tmp_path)
    for build in CHANNELS:
        parts = build(house)
        assert isinstance(parts, Parts)
        assert parts.routers, build.__module__
        assert not parts.tasks, build.__module__
        assert parts.outgoing is None, build.__module__
        assert not parts.sends, build.__module__
        assert not parts.websockets, build.__module__


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/forms/contact"),
        ("GET", "/chat/frame"),
        ("GET", "/v1/channels/chat"),
        ("POST", "/v1/channels/phone/calls"),
        ("POST", "/v1/channels/messengers/telegram/support"),
    ],
)
async def test_the_address_of_a_channel_that_is_off_says_so(
    database: Database, issuer: LocalIssuer, tmp_path: Path, method: str, path: str
):
    call = {
        "call_id": "1", "direction": "inbound", "caller": "+4917155512", "callee": "+493010",
        "started_at": "2026-03-02T10:00:00Z", "ended_at": "2026-03-02T10:03:00Z",
    }  # fmt: skip
    async with open_post(database, issuer, None, tmp_path) as bare:
        answer = await Caller(bare, issuer.issue("exchange", Role.SERVICE)).send(method, path, call)
        agent = Caller(bare, issuer.issue("anna", Role.AGENT))
        answer = await agent.send(method, path, call) if answer.status_code == 403 else answer
    assert answer.status_code == 404
    assert "is not switched on here" in answer.json()["detail"]
