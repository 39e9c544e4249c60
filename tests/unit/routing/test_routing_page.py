"""docs/routing.md shows what the service takes, and names every field of a group."""

import re
from pathlib import Path

import msgspec

from services.routing.domain.agent import Group
from services.routing.domain.working import settings_faults, working_faults
from shared.events.agents import GroupProfile, OfferMode, RoutingSettings

PAGE = (Path(__file__).parents[3] / "docs" / "routing.md").read_text()


def block(kind: str) -> bytes:
    (found,) = re.findall(rf"```json {kind}\n(.*?)```", PAGE, flags=re.DOTALL)
    return str(found).encode()


def test_the_settings_shown_can_be_put() -> None:
    shown = msgspec.json.decode(block("settings"), type=RoutingSettings)
    assert list(settings_faults(shown)) == []


def test_the_group_shown_can_be_put_when_its_helpers_are_there() -> None:
    shown = msgspec.json.decode(block("group"), type=GroupProfile)
    helpers = Group(group_id="helpers", profile=GroupProfile(name="Helpers"))
    assert list(working_faults("support", shown, {"helpers": helpers})) == []
    assert [one.field for one in working_faults("support", shown, {})] == [
        "widening[1].overflow[0]"
    ]


def test_every_field_of_a_group_and_an_offer_is_named() -> None:
    named = set(re.findall(r"\w+", PAGE))
    for part in (GroupProfile, OfferMode, RoutingSettings):
        missing = set(part.__struct_fields__) - {"name", "is_active"} - named
        assert not missing
