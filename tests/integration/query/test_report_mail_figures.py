"""What a report by mail says is what its page says; days are those of its zone; who left gets nothing."""

import csv
import io
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

import lxml.html
import pytest

from services.query.catalogue import REPORTS
from services.query.settings import Settings
from services.query.web.words import NOTHING
from shared.events import StatusCategory
from shared.events.agents import AgentDefined, AgentProfile
from shared.security import Role
from tests.integration.query.conftest import Reader
from tests.integration.query.random_lives import random_life
from tests.integration.query.report_office import BODY, Office, report_office, todays_story
from tests.integration.query.stories import Story
from tests.support.events import stamp

pytestmark = pytest.mark.integration


@pytest.fixture
async def office(reader: Reader, settings: Settings) -> AsyncIterator[Office]:
    async with report_office(reader, settings) as found:
        yield found


async def test_the_mail_says_what_the_report_says(office: Office) -> None:
    office.reader.feed(todays_story(ticket_type="<b>=cmd|'/c calc'!A0</b>"))
    await office.put("daily", title="Volume & more", recipients=["lead@example.com"])
    await office.until_due("daily")
    await office.mailers[0].turn()
    (letter,) = office.postbox.letters
    assert letter["from"] == "reports@desk.example.com"
    assert letter["subject"].startswith("Volume & more: 20")
    assert letter["auto-submitted"] == "auto-generated"
    assert letter["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"
    plain, html = letter.get_body(("plain",)), letter.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert "Tickets 1, Open 1, Solved 0" in plain.get_content()
    assert "Everything of the period is in these figures" in plain.get_content()
    assert "Tickets opened in the period." in plain.get_content(), "what the figure means"
    text = html.get_content()
    assert "<b>=cmd" not in text
    assert "&lt;b&gt;=cmd" in text
    assert "Volume &amp; more" in text
    assert "https://desk.example.com/reports/volume?by=type" in plain.get_content()


async def test_a_csv_is_attached_and_has_no_formula(office: Office) -> None:
    office.reader.feed(todays_story(ticket_type="=1+1"))
    await office.put("daily", format="csv", recipients=["lead@example.com"])
    await office.until_due("daily")
    await office.mailers[0].turn()
    (letter,) = office.postbox.letters
    (file,) = letter.iter_attachments()
    assert file.get_filename() == "volume.csv"
    (row,) = csv.DictReader(io.StringIO(file.get_content()))
    assert (row["type"], row["tickets"]) == ("'=1+1", "1")


async def test_nothing_counted_is_said_and_an_empty_csv_is_whole(office: Office) -> None:
    await office.put("daily", format="csv", recipients=["lead@example.com"])
    await office.put("html", recipients=["boss@example.com"])
    await office.until_due("daily")
    await office.mailers[0].turn()
    assert len(office.postbox.letters) == 2
    for letter in office.postbox.letters:
        body = letter.get_body(("plain",))
        assert body is not None
        assert "Nothing was counted in this period." in body.get_content()


async def test_every_report_can_be_sent(office: Office) -> None:
    story = (
        todays_story().give_group(0, "desk", "rule").assign(0, "anna").promise(0, "resolution", 1)
    )
    office.reader.feed(story)
    for name in [*REPORTS, "forecast"]:
        await office.put(name, report=name, by=None, recipients=["lead@example.com"])
    await office.until_due("volume")
    assert await office.mailers[0].turn() == len(REPORTS) + 1
    problems = [
        row["problem"] for row in office.reader.rows("SELECT problem FROM report_subscriptions")
    ]
    assert set(problems) == {None}


OF_A_PAGE: Final = "//section[@aria-label='Figures']//tbody/tr"


def cells(text: str, table: str = "//tbody/tr") -> list[list[str]]:
    """The table of a mail or a page, row by row; a page writes no value as a dash of its own and no thousands."""
    rows = lxml.html.fromstring(text).xpath(table)
    told = [[cell.text_content().strip() for cell in row.xpath("th|td")] for row in rows]
    return [[cell.replace(",", "").replace(NOTHING, "-") for cell in row] for row in told]


async def test_every_mail_has_the_figures_of_the_page_and_of_the_csv_that_it_links(
    office: Office,
) -> None:
    """Of tickets that are over, for what is open grows older from moment to moment."""
    first = datetime.now(UTC).replace(day=1, hour=12)
    lives = [random_life(number, number, start=first) for number in range(20, 40)]
    for life in lives:
        if life.category is not StatusCategory.CLOSED:
            life.close(190)
    office.reader.feed(*lives)
    for name in sorted({*REPORTS, "forecast"}):
        for kind in ("csv", "html"):
            told = {
                "report": name,
                "by": None,
                "period": "month",
                "recipients": ["lead@example.com"],
            }
            await office.put(f"{name}-{kind}", format=kind, **told)
    await office.until_due("volume-csv")
    await office.mailers[0].turn()
    compared = 0
    for letter in office.postbox.letters:
        plain, html = letter.get_body(("plain",)), letter.get_body(("html",))
        assert plain is not None
        (link,) = re.findall(r"The report: https://desk.example.com(\S+)", plain.get_content())
        if html is not None:
            page = await office.ask("GET", link)
            assert cells(html.get_content()) == cells(page.text, OF_A_PAGE), link
            compared += len(cells(html.get_content()))
            continue
        mark = "&" if "?" in link else "?"
        sheet = await office.ask("GET", f"/v1{link}{mark}format=csv")
        (file,) = letter.iter_attachments()
        assert sheet.status_code == 200, sheet.text
        assert file.get_content().splitlines() == sheet.text.splitlines(), link
    assert compared > 24 + len(REPORTS)


async def test_days_of_a_mail_are_those_of_its_zone(office: Office) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    month = datetime.now(berlin).replace(day=1, hour=0, minute=10, second=0, microsecond=0)
    office.reader.feed(Story(8, at=month.astimezone(UTC)).opened())
    await office.put("daily", by="day", period="month", time_zone="Europe/Berlin")
    await office.until_due("daily")
    await office.mailers[0].turn()
    html = office.postbox.letters[0].get_body(("html",))
    assert html is not None
    assert [row[0] for row in cells(html.get_content())] == [str(month.date())]
    assert "Days and hours are those of Europe/Berlin." in html.get_content()


def defined(agent: str, version: int = 1, *, is_active: bool) -> AgentDefined:
    profile = AgentProfile(name=agent, email=f"{agent}@example.com", is_active=is_active)
    return AgentDefined(**stamp(version), agent_id=agent, profile=profile)


async def test_who_left_gets_no_report_and_answers_for_none(office: Office) -> None:
    await office.put("daily", recipients=["bob@example.com", "lead@example.com"])
    left = [defined("sue", is_active=False), defined("bob", is_active=False)]
    office.reader.feed_events([*left, defined("tom", is_active=True)])
    await office.until_due("daily")
    assert await office.mailers[0].turn() == 0
    told = (await office.ask("GET", "/v1/reports/subscriptions/daily")).json()
    assert told["problem"].startswith("sue, who asked for it last, is no longer in use")
    token = office.reader.issuer.issue("tom", Role.SUPERVISOR)
    taken_over = await office.http.put(
        "/v1/reports/subscriptions/daily",
        json=BODY | {"recipients": ["bob@example.com", "lead@example.com"]},
        headers={"Authorization": f"Bearer {token}"},
    )
    assert taken_over.json()["changed_by"] == "tom"
    await office.until_due("daily")
    assert await office.mailers[0].turn() == 1, "the period that waited, and nothing to bob"
    assert [letter["to"] for letter in office.postbox.letters] == ["lead@example.com"]
    office.reader.feed_events([defined("bob", 2, is_active=True)])
    await office.until_due("daily")
    await office.mailers[0].turn()
    assert len(office.to("bob@example.com")) == 1
