"""What the pages call things, and how they tell time."""

import pytest

from services.query.web import words
from shared.events import Channel, Priority, StatusCategory
from shared.events.agents import Presence, Strategy


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "0:00"),
        (9.9, "0:09"),
        (61, "1:01"),
        (3_661, "1:01:01"),
        (90_000, "1 d 1 h"),
        (-1, "late 0:01"),
        (-7_322, "late 2:02:02"),
    ],
)
def test_a_countdown_is_exact_to_the_second_within_a_day(seconds: float, told: str) -> None:
    assert words.countdown(seconds) == told


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (None, words.NOTHING),
        (8, "8 s"),
        (720, "12 min"),
        (11_100, "3 h 05 min"),
        (187_200, "2 d 4 h"),
        (-60, "\N{MINUS SIGN}1 min"),
    ],
)
def test_a_duration_has_its_two_largest_units(seconds: float | None, told: str) -> None:
    assert words.duration(seconds) == told


def test_every_word_of_the_wire_has_one_for_people() -> None:
    assert set(words.STATUS) == set(StatusCategory)
    assert set(words.PRIORITY) == set(Priority)
    assert set(words.PRESENCE) == set(Presence)
    assert set(words.CHANNEL) == set(Channel)
    assert set(words.STRATEGY) == set(Strategy)


def test_an_unknown_word_says_its_own_name() -> None:
    assert words.called(words.METRIC, "time_to_own") == "time to own"
    assert words.called(words.METRIC, None) == words.NOTHING


def test_values_of_fields_are_read_not_dumped() -> None:
    assert words.value(["lyon", "vip"]) == "lyon, vip"
    assert words.value([]) == words.NOTHING
    assert words.value({"id": "c-1", "vip": True}) == "id: c-1, vip: yes"
