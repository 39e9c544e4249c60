"""Whatever a messenger posts with the right signature: the answer says what is wrong with it, and we stay well."""

import copy
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.integration.intake.desk import Desk
from tests.integration.intake_channels.test_messengers import (
    IDS,
    from_shop,
    from_telegram,
    from_whatsapp,
    telegram,
    whatsapp,
)

pytestmark = pytest.mark.integration

ODD: list[Any] = [
    None, True, -1, 0, 10**18, 1.5, "", " ", "x", "\0", "a\0b", "\u202e", "9" * 400, "x" * 70_000, [], {}, [{}],
    {"id": 1}, "99999999999999999999", "-1", "²", "\ud800",
]  # fmt: skip
"""What programs put where something else belongs."""


def places(of: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document, as the keys that lead there."""
    inner = of.items() if isinstance(of, dict) else enumerate(of) if isinstance(of, list) else ()
    return [(*way, key) for key, _ in inner] + [
        found for key, value in inner for found in places(value, (*way, key))
    ]


def spoiled(document: Any, dice: random.Random) -> Any:
    """The document with some of its places filled with something else, or empty."""
    made = copy.deepcopy(document)
    for _ in range(dice.randrange(1, 4)):
        *way, last = dice.choice(places(made))
        at = made
        for key in way:
            at = at[key]
        if dice.randrange(4) == 0:
            del at[last]
        else:
            at[last] = copy.deepcopy(dice.choice(ODD))
        if not places(made):
            break
    return made


def an_update(dice: random.Random) -> Any:
    kinds: list[dict[str, Any]] = [
        {"caption": "Hello", "document": {"file_id": "gone", "file_name": "a"}},
        {"photo": [{"file_id": "gone", "file_size": 1}]},
        {"location": {"latitude": 1.5, "longitude": 2}},
        {"contact": {"phone_number": "1"}, "caption": "c"},
    ]
    words = dice.choice(["Hello", None])
    return spoiled(telegram(next(IDS), words, **dice.choice(kinds)), dice)


def a_notification(dice: random.Random) -> Any:
    kinds: list[dict[str, Any]] = [
        {"type": "text", "text": {"body": "Hello"}},
        {"type": "image", "image": {"id": "gone", "caption": "c"}},
        {"type": "interactive", "interactive": {"type": "b", "b": {"title": "Yes"}}},
        {"type": "location", "location": {"latitude": 1, "longitude": 2}},
    ]
    status = {"id": "wamid.1", "status": "failed", "errors": [{"code": 1, "title": "t"}]}
    return spoiled(whatsapp(f"49179{next(IDS)}", dice.choice(kinds), statuses=[status]), dice)


def a_message(dice: random.Random) -> dict[str, Any]:
    person = {"id": str(next(IDS)), "name": "Nora", "email": "nora@x.example"}
    said = {"person": person, "subject": "S", "sent_at": "2026-03-02T10:00:00Z", "text": "t"}
    return spoiled(said, dice)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(seed=st.integers(0, 2**32))
@example(seed=0)
async def test_a_spoiled_document_is_taken_passed_over_or_refused_by_name(desk: Desk, seed: int):
    dice = random.Random(seed)
    answers = [
        await from_telegram(desk, an_update(dice)),
        await from_whatsapp(desk, a_notification(dice)),
        await from_shop(desk, **a_message(dice)),
    ]
    for answer in answers:
        # 503: a file that cannot be had now; the messenger posts the message again
        assert answer.status_code in {200, 400, 422, 503}, answer.text
        if answer.status_code == 422:
            assert answer.json()["errors"][0]["field"], answer.text


@pytest.mark.parametrize("moment", [10**18, -(10**18), 0])
async def test_a_moment_that_no_calendar_has_is_no_reason_to_lose_a_message(
    desk: Desk, moment: int
):
    by_telegram = await from_telegram(desk, telegram(next(IDS), date=moment))
    said = {"type": "text", "text": {"body": "Hello"}, "timestamp": str(moment)}
    by_whatsapp = await from_whatsapp(desk, whatsapp(f"49180{next(IDS)}", said))
    assert [one.json()["messages"][0]["done"] for one in (by_telegram, by_whatsapp)] == [
        "opened",
        "opened",
    ]
