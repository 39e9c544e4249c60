"""Holidays and breaks from elsewhere: proposed with their names, refused until approved (C11)."""

from datetime import UTC, date, datetime

import pytest

from shared.calendar import InvalidCalendar, parse_calendar
from shared.calendar.entries import ClosedDay, ClosedHours, proposal
from shared.calendar.holiday_sets import UnknownHolidays, public_holidays

OFFICE = {
    "timezone": "Europe/Berlin",
    "hours": {day: [["09:00", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")},
}
CHRISTMAS = ClosedDay(date(2026, 12, 25), "Christmas")


def refusal(data) -> dict[str, str]:
    with pytest.raises(InvalidCalendar) as caught:
        parse_calendar(data)
    return dict(caught.value.errors)


def hours_open(document, day: int, month: int = 12) -> float:
    start = datetime(2026, month, day, tzinfo=UTC)
    return parse_calendar(document).between(start, start.replace(hour=23)) / 3600


def test_a_holiday_may_say_its_name():
    named = {**OFFICE, "holidays": [{"date": "2026-12-25", "name": "Christmas"}]}
    assert hours_open(named, 25) == 0
    assert hours_open(named, 24) == 8


def test_a_break_may_say_its_name():
    span = {"from": "12:00", "to": "12:30:30", "name": "Drill", "approved": True}
    assert hours_open({**OFFICE, "breaks": {"2026-12-24": [span]}}, 24) * 3600 == 8 * 3600 - 1830


def test_what_is_not_approved_is_refused_entry_by_entry():
    document = proposal(
        [CHRISTMAS, ClosedDay(date(2026, 12, 24), "Christmas Eve")],
        [ClosedHours(date(2026, 12, 23), "12:00", "17:00", "Party")],
        into=OFFICE,
    )
    assert set(refusal(document)) == {
        "holidays[0].approved",
        "holidays[1].approved",
        "breaks.2026-12-23[0].approved",
    }
    document["holidays"][1]["approved"] = True
    del document["holidays"][0], document["breaks"]
    assert hours_open(document, 25) == 0
    assert hours_open(document, 24) == 8


def test_what_someone_vouches_for_is_accepted_at_once():
    assert hours_open(proposal([CHRISTMAS], into=OFFICE, is_approved=True), 25) == 0


def test_what_the_calendar_has_already_is_not_asked_about_again():
    span = ClosedHours(date(2026, 12, 23), "12:00", "17:00", "Party")
    known = {**OFFICE, "holidays": ["2026-12-25"], "breaks": {"2026-12-23": [["12:00", "17:00"]]}}
    assert proposal([CHRISTMAS], [span], into=known) == known
    once = proposal([CHRISTMAS], [span], into=OFFICE)
    assert proposal([CHRISTMAS], [span], into=once) == once


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"holidays": [None]}, "holidays[0]"),
        ({"holidays": [{"name": "x"}]}, "holidays[0].date"),
        ({"holidays": [{"date": "2026-02-30"}]}, "holidays[0].date"),
        ({"holidays": [{"date": "2026-12-25", "day": 1}]}, "holidays[0].day"),
        ({"holidays": [{"date": "2026-12-25", "name": 7}]}, "holidays[0].name"),
        ({"holidays": [{"date": "2026-12-25", "approved": "yes"}]}, "holidays[0].approved"),
        ({"breaks": {"2026-12-25": [{"from": "09:00"}]}}, "breaks.2026-12-25[0].to"),
        (
            {"overrides": {"2026-12-25": [{"from": "9", "to": "10:00"}]}},
            "overrides.2026-12-25[0][0]",
        ),
    ],
)
def test_an_entry_of_nonsense_is_refused_and_the_field_is_named(change, field):
    assert field in refusal({**OFFICE, **change})


def test_the_holidays_of_a_region_have_their_own_names():
    days = public_holidays("DE-BE", [2027])
    assert ClosedDay(date(2027, 3, 8), "Frauentag") in days
    assert ClosedDay(date(2027, 3, 8), "Frauentag") not in public_holidays("DE-BY", [2027])
    assert len(public_holidays("de-be", [2027, 2028])) > len(days)
    (first, *_) = public_holidays("DE-BE", [2027], language="en_US")
    assert first.name == "New Year's Day"


def test_only_the_categories_asked_for_are_proposed():
    public = set(public_holidays("DE-BY", [2027]))
    more = set(public_holidays("DE-BY", [2027], categories=["public", "catholic"]))
    assert {day.name for day in more - public} == {"Mariä Himmelfahrt"}


@pytest.mark.parametrize(
    ("place", "years", "options", "said"),
    [
        ("XX", [2027], {}, "country XX"),
        ("", [2027], {}, "none"),
        ("DE-XX", [2027], {}, "there are Augsburg, BB, BE"),
        ("DE", [2027], {"categories": ["birthdays"]}, "birthdays"),
        ("DE", [2027], {"language": "xx"}, "de, en_US"),
        ("DE", [], {}, "years"),
        ("DE", range(2000, 2100), {}, "50 years"),
        ("DE", [1492], {}, "1492"),
    ],
)
def test_holidays_nobody_knows_are_refused_with_what_there_is(place, years, options, said):
    with pytest.raises(UnknownHolidays, match=said):
        public_holidays(place, years, **options)
