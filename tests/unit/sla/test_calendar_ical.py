"""Feeds from elsewhere: read into closed days and hours, each for a person to approve (C11)."""

from datetime import date

import pytest

from shared.calendar import parse_calendar
from shared.calendar.entries import ClosedDay, ClosedHours, proposal
from shared.calendar.ical import UnreadableFeed, read_feed

OFFICE = {"timezone": "Europe/Berlin", "hours": {"tue": [["09:00", "17:00"]]}}


def feed(*events: str, head: str = "X-WR-TIMEZONE:Europe/Berlin\n") -> bytes:
    inner = "".join(
        f"BEGIN:VEVENT\nUID:{n}\n{event.strip()}\nEND:VEVENT\n" for n, event in enumerate(events)
    )
    text = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//desk//EN\n{head}{inner}END:VCALENDAR\n"
    return text.replace("\n", "\r\n").encode()


def read(*events: str, year: int = 2027, **options):
    return read_feed(
        feed(*events, **{key: options.pop(key) for key in ("head",) if key in options}),
        first=date(year, 1, 1),
        last=date(year, 12, 31),
        **options,
    )


def test_an_event_of_whole_days_closes_each_of_them():
    found = read("DTSTART;VALUE=DATE:20261224\nDTEND;VALUE=DATE:20261227\nSUMMARY:Feast", year=2026)
    assert [(day.date.day, day.name) for day in found.days] == [
        (24, "Feast"),
        (25, "Feast"),
        (26, "Feast"),
    ]
    assert found.hours == ()


def test_a_yearly_event_comes_each_year_but_not_when_it_is_excepted_or_cancelled():
    yearly = (
        "DTSTART;VALUE=DATE:20200501\nRRULE:FREQ=YEARLY\nEXDATE;VALUE=DATE:20280501\nSUMMARY:May"
    )
    assert [day.date for day in read(yearly, year=2027).days] == [date(2027, 5, 1)]
    assert read(yearly, year=2028).days == ()
    assert read(f"{yearly}\nSTATUS:CANCELLED", year=2027).days == ()


def test_what_the_feed_holds_against_an_entry_is_passed_on():
    """A feed of holidays also brings observances, on which the desk is open (bug 6)."""
    found = read(
        "DTSTART;VALUE=DATE:20270214\nSUMMARY:Valentine\nTRANSP:TRANSPARENT\nDESCRIPTION:Observance"
    )
    assert [day.note for day in found.days] == ["does not block time in the feed; Observance"]


def test_an_event_with_times_becomes_breaks_on_the_desks_own_clock():
    found = read(
        "DTSTART:20270601T100000Z\nDTEND:20270601T113030Z\nSUMMARY:Summer",
        "DTSTART;TZID=America/New_York:20270701T180000\n"
        "DTEND;TZID=America/New_York:20270703T090000\nSUMMARY:Move",
        "DTSTART:20270801T080000\nDTEND:20270801T090000\nSUMMARY:Floating",
    )
    assert found.hours == (
        ClosedHours(date(2027, 6, 1), "12:00:00", "13:30:30", "Summer"),
        ClosedHours(date(2027, 7, 3), "00:00:00", "15:00:00", "Move"),
        ClosedHours(date(2027, 8, 1), "08:00:00", "09:00:00", "Floating"),
    )
    assert found.days == (ClosedDay(date(2027, 7, 2), "Move"),)
    accepted = proposal(found.days, found.hours, into=OFFICE, is_approved=True)
    parse_calendar(accepted)


def test_the_calendars_zone_outranks_the_feeds():
    event = "DTSTART:20270601T100000Z\nDTEND:20270601T110000Z\nSUMMARY:x"
    (part,) = read(event, timezone="Asia/Kolkata").hours
    assert (part.since, part.until) == ("15:30:00", "16:30:00")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not an iCalendar file"),
        (b"hello", "not an iCalendar file"),
        (b"\x00\xff\xfe", "not an iCalendar file"),
        (b"BEGIN:VEVENT\r\nEND:VEVENT\r\n", "VCALENDAR"),
        (feed("DTSTART;VALUE=DATE:20270101\nRRULE:FREQ=HOURLY\nSUMMARY:Often"), "Often"),
        (feed("DTSTART:20270601T100000Z\nSUMMARY:T", head=""), "time zone"),
        (feed("DTSTART:20270601T100000Z\nSUMMARY:T", head="X-WR-TIMEZONE:Mars\n"), "Mars"),
        (b" " * (4 * 1024 * 1024 + 1), "bytes"),
    ],
)
def test_a_feed_that_cannot_be_used_says_why(data, said):
    with pytest.raises(UnreadableFeed, match=said):
        read_feed(data, first=date(2027, 1, 1), last=date(2027, 12, 31))


def test_a_feed_is_not_read_for_a_century():
    with pytest.raises(UnreadableFeed, match="20 years"):
        read_feed(feed(), first=date(2000, 1, 1), last=date(2100, 1, 1))
