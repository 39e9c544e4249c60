"""Reports by mail: each period once in effect, to a real SMTP server, from any number of processes."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest

from services.query.mailing import outbox
from services.query.mailing.sender import CATCH_UP_MAX, FRESH_PATIENCE, LEASE
from services.query.settings import Settings
from services.query.subscriptions import Subscription
from services.query.views.freshness import Freshness
from shared.mail import ServerIsAway, SmtpServer
from shared.security import Role
from shared.security.issuer import LocalIssuer
from tests.integration.query.conftest import Reader
from tests.integration.query.report_office import (
    BODY,
    Office,
    free_port,
    report_office,
    todays_story,
)

pytestmark = pytest.mark.integration


@pytest.fixture
async def office(reader: Reader, settings: Settings) -> AsyncIterator[Office]:
    async with report_office(reader, settings) as found:
        yield found


async def test_each_period_is_one_mail_to_each_from_two_processes(office: Office) -> None:
    office.reader.feed(todays_story(ticket_type="question"))
    await office.put("daily")
    assert [await mailer.turn() for mailer in office.mailers] == [0, 0], "the day is not over"
    await office.until_due("daily")
    await asyncio.gather(*(mailer.turn() for mailer in office.mailers))
    assert sorted(one["to"] for one in office.postbox.letters) == [
        "boss@example.com",
        "lead@example.com",
    ]
    for mailer in office.mailers:
        assert await mailer.turn() == 0
    office.go(days=1)
    await asyncio.gather(*(mailer.turn() for mailer in office.mailers))
    ids = [one["message-id"] for one in office.postbox.letters]
    assert len(ids) == len(set(ids)) == 4


async def test_a_server_that_is_away_gets_the_same_mail_later(office: Office) -> None:
    await office.put("daily", recipients=["lead@example.com"])
    await office.until_due("daily")
    office.postbox.answer = "451 come back later"
    assert await office.mailers[0].turn() == 0
    (waiting,) = office.reader.rows("SELECT state, last_error, raw FROM report_mails")
    assert (waiting["state"], waiting["last_error"]) == ("waiting", "451 come back later")
    office.postbox.answer = None
    assert await office.mailers[1].turn() == 0, "not before its pause is over"
    office.go(seconds=31)
    assert await office.mailers[1].turn() == 1
    (letter,) = office.postbox.letters
    assert letter["message-id"].encode() in bytes(waiting["raw"])


async def test_no_way_to_the_server_loses_nothing(office: Office) -> None:
    await office.put("daily", recipients=["lead@example.com"])
    await office.until_due("daily")
    office.mailers[0]._server = SmtpServer(host="127.0.0.1", port=free_port(), security="none")
    with pytest.raises(ServerIsAway) as raised:
        await office.mailers[0].turn()
    assert "127.0.0.1" not in str(raised.value)
    office.go(seconds=31)
    assert await office.mailers[1].turn() == 1


async def test_who_dies_with_a_claim_is_followed_by_another_under_the_same_id(
    office: Office,
) -> None:
    await office.put("daily", recipients=["lead@example.com"])
    await office.until_due("daily")
    pool = await office.parts[0].pool()
    (one,) = await outbox.due(pool, now=office.now)
    id_ = outbox.mail_id_of(one, "lead@example.com", "desk.example.com")
    await office.mailers[0]._make(one)
    (claimed,) = await outbox.claim(pool, now=office.now, lease=LEASE)
    assert await office.mailers[1].turn() == 0, "it is claimed"
    office.go(seconds=LEASE.total_seconds() + 1)
    assert await office.mailers[1].turn() == 1
    (letter,) = office.postbox.letters
    assert letter["message-id"] == f"<{id_}>"
    assert not await outbox.keep(pool, claimed, until=office.now), "the first one comes too late"
    assert not await outbox.sent(pool, claimed, now=office.now)


async def test_a_refused_address_is_told_to_supervisors_and_harms_no_other(office: Office) -> None:
    office.postbox.refused = {"boss@example.com"}
    await office.put("daily")
    await office.until_due("daily")
    assert await office.mailers[0].turn() == 1
    told = (await office.ask("GET", "/v1/reports/subscriptions")).json()["subscriptions"]
    assert (told[0]["dead_count"], told[0]["waiting_count"]) == (1, 0)
    assert told[0]["last_error"].startswith("550 no such person")
    office.go(days=3)
    assert len(office.to("boss@example.com")) == 0


async def test_a_report_waits_until_its_period_is_applied_and_then_says_what_is_missing(
    office: Office,
) -> None:
    await office.put("daily", recipients=["lead@example.com"])
    due = await office.until_due("daily")
    stale = Freshness(due - timedelta(days=2), 9, 1)
    for parts in office.parts:
        parts.lag.freshness = stale
    assert await office.mailers[0].turn() == 0
    (row,) = office.reader.rows("SELECT problem FROM report_subscriptions")
    assert row["problem"] == "events of the period are not applied yet"
    office.now += FRESH_PATIENCE
    assert await office.mailers[0].turn() == 1
    body = office.postbox.letters[0].get_body(("plain",))
    assert body is not None
    assert "Not everything that happened in this period" in body.get_content()


async def test_after_a_long_outage_the_newest_periods_are_told(office: Office) -> None:
    await office.put("daily", recipients=["lead@example.com"])
    await office.until_due("daily")
    office.go(days=30)
    while office.reader.rows(
        "SELECT 1 FROM report_subscriptions WHERE next_due_at <= %s", office.now
    ):
        await office.mailers[0].turn()
    assert len(office.postbox.letters) == CATCH_UP_MAX


async def test_who_unsubscribes_gets_nothing_more_and_nobody_else_is_touched(
    office: Office,
) -> None:
    await office.put("daily")
    await office.until_due("daily")
    await office.mailers[0].turn()
    (letter,) = office.to("boss@example.com")
    link = letter["list-unsubscribe"].strip("<>").removeprefix("https://desk.example.com")
    asked = await office.http.get(link)
    assert asked.status_code == 200, "no login"
    assert "boss@example.com" in asked.text
    assert not office.reader.rows(
        "SELECT 1 FROM report_recipients WHERE unsubscribed_at IS NOT NULL"
    )
    for _ in range(2):
        done = await office.http.post(link, data={"List-Unsubscribe": "One-Click"})
        assert done.status_code == 200
    asked_audit = {"role": Role.SUPERVISOR, "actor": "mailto:boss@example.com"}
    (ended,) = (await office.reader.read("/v1/audit", **asked_audit))["events"]  # once
    assert ended["changes"] == [{"field": "recipient", "old": "boss@example.com", "new": None}]
    assert (ended["type"], ended["channel"]) == ("report_subscription.changed.v1", "email")
    office.go(days=1)
    await office.put("daily", title="written anew")
    await office.mailers[0].turn()
    assert (len(office.to("boss@example.com")), len(office.to("lead@example.com"))) == (1, 2)
    told = (await office.ask("GET", "/v1/reports/subscriptions/daily")).json()
    assert told["unsubscribed"] == ["boss@example.com"]
    page = await office.ask("GET", "/reports/volume")
    assert "unsubscribed: boss@example.com" in page.text
    wrong = await office.http.post("/reports/unsubscribe", params={"token": "A" * 43})
    assert wrong.status_code == 404


async def test_only_supervisors_and_admins(office: Office) -> None:
    await office.put("daily")
    for role in (Role.CUSTOMER, Role.AGENT, Role.SERVICE):
        for method, path in (
            ("PUT", "/v1/reports/subscriptions/mine"),
            ("GET", "/v1/reports/subscriptions"),
            ("GET", "/v1/reports/subscriptions/daily"),
            ("DELETE", "/v1/reports/subscriptions/daily"),
        ):
            said = {"json": BODY} if method == "PUT" else {}
            answer = await office.ask(method, path, role=role, **said)
            assert answer.status_code == 403, (role, method)
    assert (
        "lead@example.com" not in (await office.ask("GET", "/reports/volume", role=Role.AGENT)).text
    )
    for role in (Role.SUPERVISOR, Role.ADMIN):
        assert (await office.ask("GET", "/v1/reports/subscriptions", role=role)).status_code == 200


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"report": "weather"}, "report"),
        ({"by": "t.status; DROP TABLE x"}, "by"),
        ({"time_zone": "Europe/Atlantis"}, "time_zone"),
        ({"time_zone": "../../etc/passwd"}, "time_zone"),
        ({"period": "year"}, "period"),
        ({"at": "25:00"}, "at"),
        ({"recipients": []}, "recipients"),
        ({"recipients": ["a@example.com\r\nBcc: b@example.com"]}, "recipients[0]"),
        ({"recipients": ["lead@example.com", "Lead <lead@example.com>"]}, "recipients[1]"),
        ({"recipients": ["lead@elsewhere.net"]}, "recipients[0]"),
        ({"title": "a\r\nBcc: b@example.com"}, "title"),
        ({"group": "desk", "report": "agents", "by": "agent"}, "group"),
        ({"body": "mine"}, "body"),
    ],
)
async def test_nonsense_is_refused_by_name(
    office: Office, changes: dict[str, Any], field: str
) -> None:
    answer = await office.ask("PUT", "/v1/reports/subscriptions/x", json=BODY | changes)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["field"] == field
    assert not office.reader.rows("SELECT 1 FROM report_subscriptions")


async def test_the_same_again_changes_nothing_and_a_deleted_one_sends_nothing(
    office: Office,
) -> None:
    first = await office.put("daily")
    again = await office.put("daily")
    assert (first["version"], again["version"]) == (1, 1)
    changed = await office.put("daily", title="Mine", recipients=["lead@example.com"])
    assert (changed["version"], changed["next_start"]) == (2, first["next_start"])
    await office.until_due("daily")
    (one,) = await outbox.due(await office.parts[0].pool(), now=office.now)
    await office.mailers[0]._make(one)
    assert (await office.ask("DELETE", "/v1/reports/subscriptions/daily")).status_code == 204
    assert await office.mailers[0].turn() == 0
    assert (await office.ask("DELETE", "/v1/reports/subscriptions/daily")).status_code == 404
    await in_the_audit(office)


async def in_the_audit(office: Office) -> None:
    """Who had reports mailed to whom, and how it was before, is told like any other change by an admin."""
    asked = {"type": "report_subscription", "field": "recipients"}
    events = (await office.ask("GET", "/v1/audit", params=asked)).json()["events"]
    told = [
        next(
            (change["old"], change["new"])
            for change in event["changes"]
            if change["field"] == "recipients"
        )
        for event in events
    ]
    first = [address.lower() for address in BODY["recipients"]]
    mine = ["lead@example.com"]
    assert told == [(mine, None), (first, mine), (None, first)]
    assert {event["actor"]["id"] for event in events} == {"sue"}
    assert {event["actor"]["ip"] for event in events} == {"127.0.0.1"}
    assert events[0]["sentence"] == "sue changed the subscription of reports daily"


async def test_without_a_way_out_nothing_is_promised(reader: Reader, issuer: LocalIssuer) -> None:
    token = issuer.issue("sue", Role.SUPERVISOR)
    answer = await reader.http.put(
        "/v1/reports/subscriptions/x", json=BODY, headers={"Authorization": f"Bearer {token}"}
    )
    assert answer.status_code == 409
    assert "TICKETING_REPORT_MAIL_HOST" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("period", "moment", "start", "begin", "end"),
    [
        ("day", "2026-03-29T12:00Z", date(2026, 3, 29), "2026-03-28T23:00Z", "2026-03-29T22:00Z"),
        ("day", "2026-10-24T22:30Z", date(2026, 10, 25), "2026-10-24T22:00Z", "2026-10-25T23:00Z"),
        ("week", "2026-01-01T12:00Z", date(2025, 12, 29), "2025-12-28T23:00Z", "2026-01-04T23:00Z"),
        ("month", "2026-01-31T23:30Z", date(2026, 2, 1), "2026-01-31T23:00Z", "2026-02-28T23:00Z"),
    ],
)
def test_periods_are_those_of_the_time_zone(
    period: Any, moment: str, start: date, begin: str, end: str
) -> None:
    told = Subscription(
        report="volume", period=period, time_zone="Europe/Berlin", at=time(6), recipients=("a@b.c",)
    )
    assert told.start_of(datetime.fromisoformat(moment)) == start
    assert told.bounds(start) == (datetime.fromisoformat(begin), datetime.fromisoformat(end))
    assert told.bounds(told.after(start))[0] == told.bounds(start)[1], "no gap and no overlap"
    assert told.due_at(start) == told.bounds(start)[1] + timedelta(hours=6)
