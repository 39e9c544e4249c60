"""`ticketing calendar holidays` and `from-ical`: documents to approve, which the calendar then takes."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy.commands.calendar import app
from deploy.local.problems import CannotStart
from shared.calendar import InvalidCalendar, parse_calendar

OFFICE = {
    "timezone": "Europe/Berlin",
    "hours": {"mon": [["09:00", "17:00"]]},
    "holidays": ["2027-01-01"],
}
FEED = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//desk//EN
X-WR-CALNAME:Works holidays
X-WR-TIMEZONE:Europe/Berlin
BEGIN:VEVENT
UID:1
DTSTART;VALUE=DATE:20201224
RRULE:FREQ=YEARLY
SUMMARY:Christmas Eve
END:VEVENT
BEGIN:VEVENT
UID:2
DTSTART;TZID=Europe/Berlin:20270607T140000
DTEND;TZID=Europe/Berlin:20270607T170000
SUMMARY:Summer feast
END:VEVENT
END:VCALENDAR
"""


def printed(*words: str) -> str:
    done = CliRunner().invoke(app, list(words))
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture
def office(tmp_path: Path) -> Path:
    file = tmp_path / "office.json"
    file.write_text(json.dumps(OFFICE))
    return file


@pytest.fixture
def feed(tmp_path: Path) -> Path:
    file = tmp_path / "feed.ics"
    file.write_bytes(FEED.replace("\n", "\r\n").encode())
    return file


def test_holidays_are_printed_one_a_line_to_be_approved() -> None:
    text = printed("holidays", "DE-BE", "2027")
    assert (
        '    {"date": "2027-03-08", "name": "Frauentag", "approved": false},' in text.splitlines()
    )
    assert len(json.loads(text)["holidays"]) == 10


def test_holidays_go_into_a_calendar_which_is_taken_once_they_are_approved(office: Path) -> None:
    proposed = json.loads(printed("holidays", "DE-BE", "2027", "--into", str(office)))
    assert proposed["holidays"][0] == "2027-01-01", "it was there before"
    with pytest.raises(InvalidCalendar, match="not approved"):
        parse_calendar(proposed)
    accepted = json.loads(
        printed("holidays", "DE-BE", "2027", "--into", str(office), "--approve-all")
    )
    assert len(parse_calendar(accepted).holidays) == 10


def test_a_feed_becomes_holidays_and_breaks_to_be_approved(feed: Path) -> None:
    document = json.loads(printed("from-ical", str(feed), "--year", "2027"))
    assert document == {
        "name": "Works holidays",
        "timezone": "Europe/Berlin",
        "holidays": [{"date": "2027-12-24", "name": "Christmas Eve", "approved": False}],
        "breaks": {
            "2027-06-07": [
                {"from": "14:00:00", "to": "17:00:00", "name": "Summer feast", "approved": False}
            ]
        },
    }


def test_a_feed_goes_into_a_calendar_and_only_for_the_years_asked_for(
    feed: Path, office: Path
) -> None:
    words = ("from-ical", str(feed), "--into", str(office), "--approve-all")
    document = json.loads(printed(*words, "--year", "2026", "--year", "2028"))
    calendar = parse_calendar(document)
    assert sorted(day.isoformat() for day in calendar.holidays) == [
        "2026-12-24",
        "2027-01-01",
        "2028-12-24",
    ]
    assert calendar.breaks == {}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["holidays", "XX", "2027"], "no holidays are known for country XX"),
        (["holidays", "DE", "2027", "--into", "/dev/null"], "not JSON"),
        (["holidays", "DE", "2027", "--into", "{bad}"], "timezone"),
        (["holidays", "DE", "2027", "--into", "{none}"], "cannot be read"),
    ],
)
def test_what_cannot_be_used_is_one_line(tmp_path: Path, words: list[str], said: str) -> None:
    (tmp_path / "bad").write_text("{}")
    places = {"bad": str(tmp_path / "bad"), "none": str(tmp_path / "none")}
    with pytest.raises(CannotStart, match=said) as caught:
        printed(*[word.format_map(places) for word in words])
    assert "\n" not in str(caught.value)


def test_a_feed_that_is_none_is_one_line(feed: Path) -> None:
    feed.write_text("hello")
    with pytest.raises(CannotStart, match="not an iCalendar file"):
        printed("from-ical", str(feed), "--year", "2027")
