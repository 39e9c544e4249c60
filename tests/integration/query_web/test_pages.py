"""Every page on a real PostgreSQL: who may see it, what it says, and that nothing typed by people runs."""

import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import httpx2
import pytest

from shared.events import Priority, StatusCategory
from shared.events.agents import AgentDefined, AgentProfile, GroupDefined, GroupProfile
from shared.events.configuration import ConfigurationDefined
from shared.events.satisfaction import Score
from shared.security import Role
from tests.integration.query.conftest import Reader
from tests.integration.query.stories import Story
from tests.support.events import ANNA, stamp

pytestmark = pytest.mark.integration

PAGES = (
    "/",
    "/tickets",
    "/tickets/7",
    "/agents",
    "/groups",
    "/groups/desk",
    "/oncall",
    "/desk",
    "/promises",
    "/articles",
    "/articles/new",
    "/articles/reset",
)
EVIL = "<script>alert('x')</script><img src=x onerror=alert(1)>"


class Outline(HTMLParser):
    """What a page is made of: the tags with their attributes, and the title."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.title = ""
        self._in_title = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._in_title = tag == "title"

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title += data
            self._in_title = False

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.tags)

    @property
    def links(self) -> list[str]:
        return [attrs.get("href") or "" for tag, attrs in self.tags if tag == "a"]


def an_article(reader: Reader, name: str, **said: Any) -> None:
    """An article with two versions."""
    reader.feed_events(
        [
            ConfigurationDefined(
                **stamp(version, actor=ANNA),
                kind="article",
                name=name,
                definition=said | {"tags": [str(version)]},
            )
            for version in (1, 2)
        ]
    )


@pytest.fixture
def desk(reader: Reader) -> Reader:
    """A group, an agent with a ticket in conversation, and one at risk that waits."""
    reader.feed_events(
        [
            GroupDefined(
                **stamp(1, actor=ANNA), group_id="desk", profile=GroupProfile(name="Service desk")
            ),
            AgentDefined(
                **stamp(1, actor=ANNA),
                agent_id="anna",
                profile=AgentProfile(name="Anna Berg", groups=("desk",), capacity=5.0),
            ),
        ]
    )
    talked = Story(7).opened(subject="Printer on floor 3", priority=Priority.HIGH)
    talked.give_group(0, "desk", "rule").assign(0.1, "anna").promise(0, "resolution", 8)
    talked.note(1, "the internal truth").answer(2, "Use water.").move(3, StatusCategory.PENDING)
    an_article(reader, "reset", title="Reset it", body="Press **reset**.")
    waiting = Story(8).opened(subject="Waits").give_group(0, "desk", "rule").queue(0)
    waiting.promise(0, "first_reply", 1).warn(0.8, "first_reply", 1)
    reader.feed(talked, waiting)
    return reader


async def opened(
    reader: Reader, path: str, *, role: Role = Role.AGENT, subject: str = "anna"
) -> httpx2.Response:
    """The path with its own query, which `Reader.get` would replace by its parameters."""
    token = reader.issuer.issue(subject, role)
    return await reader.http.get(path, headers={"Authorization": f"Bearer {token}"})


@pytest.mark.parametrize("path", [*PAGES, "/logout"])
async def test_every_page_has_a_title_a_language_and_landmarks(desk: Reader, path: str) -> None:
    answer = await opened(desk, path)
    assert answer.status_code == 200, answer.text
    outline = Outline(answer.text)
    assert outline.title.endswith("Ticketing")
    assert outline.title.split(" – ")[0].strip()  # noqa: RUF001
    assert ("html", {"lang": "en"}) in outline.tags
    for landmark in ("header", "nav", "main", "h1"):
        assert outline.count(landmark) >= 1, landmark
    assert outline.count("main") == outline.count("h1") == 1
    labelled = {attrs.get("for") for tag, attrs in outline.tags if tag == "label"}
    assert "search" in labelled


@pytest.mark.parametrize("path", PAGES)
async def test_pages_load_nothing_from_elsewhere_and_nothing_inline(
    desk: Reader, path: str
) -> None:
    answer = await opened(desk, path)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for tag, attrs in Outline(answer.text).tags:
        assert tag != "style"
        assert not [name for name in attrs if name == "style" or name.startswith("on")], (
            tag,
            attrs,
        )
        if tag in {"script", "link", "img"}:
            assert (attrs.get("src") or attrs.get("href") or "").startswith("/static/")
    assert "no-store" in answer.headers["cache-control"]


@pytest.mark.parametrize("path", [*PAGES, "/tickets?status=open&q=two+words"])
async def test_without_a_session_the_login_comes_first_and_leads_back(
    reader: Reader, path: str
) -> None:
    answer = await reader.http.get(path)
    assert answer.status_code == 303
    place = httpx2.URL(answer.headers["location"])
    assert place.path == "/login"
    assert place.params.get("next", "/") == path


async def test_an_ended_session_leads_to_the_login_too(reader: Reader) -> None:
    ended = reader.issuer.issue("anna", Role.AGENT, ttl_seconds=-3_600)
    answer = await reader.http.get("/agents", headers={"Cookie": f"ticketing_session={ended}"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=%2Fagents")


async def test_scripts_are_told_401_instead_of_another_page(reader: Reader) -> None:
    answer = await reader.http.get("/tickets", headers={"HX-Request": "true"})
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"


async def test_the_login_never_leads_to_another_host(reader: Reader) -> None:
    answer = await reader.http.get("/login", params={"next": "//evil.example/"})
    forms = [attrs for tag, attrs in Outline(answer.text).tags if tag == "form"]
    assert forms[0]["data-after"] == "/"
    assert "evil.example" not in answer.text


async def test_logging_out_takes_the_cookie_away(reader: Reader) -> None:
    answer = await reader.http.post("/logout")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert re.search(r'ticketing_session="?"?;.*Max-Age=0', answer.headers["set-cookie"])


async def test_the_wall_shows_figures_with_links_into_the_list(desk: Reader) -> None:
    html = (await opened(desk, "/")).text
    assert re.search(r'id="fig-open"[^>]*><b>2</b>', html)
    assert re.search(r'id="fig-risk"[^>]*><b>1</b>', html)
    assert "/tickets?group=desk&amp;status=pending" in html or (
        "/tickets?group=desk&status=pending" in html
    )
    assert re.search(r'<time class="due late" datetime="2026-03-02T13:00:00[^"]*" data-due>', html)
    assert "Anna Berg" in html


async def test_links_of_the_wall_find_as_many_tickets_as_they_promise(desk: Reader) -> None:
    html = (await opened(desk, "/")).text
    counted = re.findall(r'id="b-[^"]*" href="(/tickets\?[^"]*)">(\d+)</a>', html)
    assert len(counted) >= 6
    for address, count in counted:
        found = await opened(desk, address.replace("&amp;", "&"))
        assert found.status_code == 200
        assert Outline(found.text).count("tr") - 1 == int(count), address


async def test_a_group_shows_who_is_worked_on_however_many_wait(desk: Reader) -> None:
    """More wait than are shown, and all of them are due before what somebody has."""
    waits = [
        Story(number).opened().give_group(0, "desk", "rule").promise(0, "first_reply", 1)
        for number in range(100, 151)
    ]
    desk.feed(*waits)
    html = (await opened(desk, "/groups/desk")).text
    waiting, _, taken = html.partition('id="h-due"')
    assert waiting.count('id="gt-') == 50
    assert "These are the first 50." in waiting
    assert re.findall(r'id="gt-(\d+)"', taken) == ["7"]
    assert "These are the first" not in taken
    (address,) = re.findall(r'<a href="([^"]+)">All of them</a>', waiting)
    found = await opened(desk, address.replace("&amp;", "&") + "&limit=200")
    assert found.text.count("<tr data-row") == 52


async def test_the_ticket_page_tells_everything_to_agents(desk: Reader) -> None:
    html = (await opened(desk, "/tickets/7")).text
    for told in (
        "Printer on floor 3", "the internal truth", "Internal note, never shown to the customer",
        "Use water.", "anna has the least to do", "Resolution", "ticket.status_changed.v1",
    ):  # fmt: skip
        assert told in html, told
    assert re.search(r"<del>answered</del>|<del>new</del>", html)


async def test_customers_see_their_conversation_and_nothing_internal(desk: Reader) -> None:
    answer = await opened(desk, "/tickets/7", role=Role.CUSTOMER, subject="carl")
    assert answer.status_code == 200
    assert "Use water." in answer.text
    for hidden in (
        "internal truth",
        "note",
        "anna has",
        "timeline",
        "Resolution",
        "desk",
        "/v1/agents",
    ):
        assert hidden not in answer.text, hidden
    parts = await opened(desk, "/tickets/7/parts", role=Role.CUSTOMER, subject="carl")
    assert set(parts.json()["parts"]) == {"head", "conversation", "end", "survey"}
    assert "internal truth" not in parts.text


async def test_customers_see_no_other_customers_ticket(desk: Reader) -> None:
    answer = await opened(desk, "/tickets/7", role=Role.CUSTOMER, subject="mallory")
    assert answer.status_code == 404
    assert "Printer" not in answer.text
    listed = await opened(desk, "/tickets", role=Role.CUSTOMER, subject="mallory")
    assert "Printer" not in listed.text


async def test_articles_are_listed_and_shown_as_readers_see_them(desk: Reader) -> None:
    an_article(desk, "evil", title=EVIL, body=EVIL + " **x**", status="published")
    listed = (await opened(desk, "/articles?status=published")).text
    assert EVIL not in listed
    assert 'href="/articles/evil"' in listed
    assert 'href="/articles/reset"' not in listed
    shown = (await opened(desk, "/articles/evil", role=Role.SUPERVISOR)).text
    assert EVIL not in shown
    assert "<strong>x</strong>" in shown
    assert shown.count("Anna") >= 2, "each version has its author"
    assert 'data-if-match data-version="2"' in shown
    assert "h-edit" not in (await opened(desk, "/articles/evil")).text, "it is published"
    assert "h-edit" in (await opened(desk, "/articles/reset")).text
    for path in ("/articles", "/articles/new", "/articles/reset"):
        answer = await opened(desk, path, role=Role.CUSTOMER, subject="carl")
        assert answer.status_code == 403, path
        assert "Press" not in answer.text


async def test_a_customer_is_asked_on_the_page_until_the_time_is_over(desk: Reader) -> None:
    now = datetime.now(UTC)
    recent = Story(11, at=now - timedelta(hours=3)).opened().solve(1).offer(2)
    late = Story(12, at=now - timedelta(days=60)).opened().solve(1).offer(2).rate(3, Score.BAD)
    desk.feed(recent.rate(2.5, Score.GOOD, comment=EVIL), late)
    asked = await opened(desk, "/tickets/11", role=Role.CUSTOMER, subject="carl")
    tags = Outline(asked.text).tags
    (form,) = [one for tag, one in tags if (one.get("data-action") or "").endswith("/satisfaction")]
    assert form["data-method"] == "POST"
    (chosen,) = [one["value"] for _, one in tags if one.get("name") == "score" and "checked" in one]
    assert chosen == "good"
    assert EVIL not in asked.text
    over = await opened(desk, "/tickets/12", role=Role.CUSTOMER, subject="carl")
    assert "You said: it was bad." in over.text
    assert "/satisfaction" not in over.text
    assert "/satisfaction" not in (await opened(desk, "/tickets/11")).text, "an agent reads it only"


async def test_customers_have_no_board(desk: Reader) -> None:
    home = await opened(desk, "/", role=Role.CUSTOMER, subject="carl")
    assert (home.status_code, home.headers["location"]) == (303, "/tickets")
    for path in ("/agents", "/groups", "/groups/desk", "/board/stream"):
        assert (await opened(desk, path, role=Role.CUSTOMER, subject="carl")).status_code == 403
    listed = await opened(desk, "/tickets", role=Role.CUSTOMER, subject="carl")
    assert "Printer on floor 3" in listed.text
    assert "Service desk" not in listed.text


async def test_every_agent_has_their_own_first_tickets_however_late_these_are_due(
    desk: Reader,
) -> None:
    """Of all agents together the 250 that are due first are one agent's."""
    early = [
        Story(number).opened().assign(0, "anna").promise(0, "resolution", 1)
        for number in range(1_000, 1_250)
    ]
    late = [Story(number).opened().assign(0, "ben") for number in range(2_000, 2_007)]
    for hours, story in enumerate(late[:-1], start=100):
        story.promise(0, "resolution", 200 - hours)
    desk.feed(*early, *late)
    ben = AgentDefined(**stamp(1, actor=ANNA), agent_id="ben", profile=AgentProfile(name="Ben"))
    desk.feed_events([ben])
    html = (await opened(desk, "/agents")).text
    of_anna = html.partition('id="ag-anna"')[2].partition("</section>")[0]
    assert of_anna.count('href="/tickets/10') == 5
    of_ben = html.partition('id="ag-ben"')[2].partition("</section>")[0]
    shown = [int(number) for number in re.findall(r'href="/tickets/(\d+)"', of_ben)]
    assert shown == [2_005, 2_004, 2_003, 2_002, 2_001], "due first; the one without a promise last"


async def test_what_people_type_is_shown_and_never_run(desk: Reader) -> None:
    story = Story(9).opened(subject=EVIL, body=f"{EVIL} javascript:alert(1) https://a.example/")
    story.give_group(0, "desk").note(1, EVIL)
    story.promise(0, "resolution", 1).warn(0.8, "resolution", 1)
    desk.feed(story)
    for path in ("/", "/tickets", "/tickets/9", "/agents", "/groups/desk", f"/tickets?q={EVIL}"):
        html = (await opened(desk, path)).text
        outline = Outline(html)
        assert outline.count("img") == 0, path
        assert all(attrs.get("src") for tag, attrs in outline.tags if tag == "script"), path
        assert not [link for link in outline.links if link.startswith("javascript:")], path
        if "q=" not in path and path != "/agents":
            assert "&lt;script&gt;" in html, path
    parts = (await opened(desk, "/tickets/9/parts")).json()["parts"]
    assert all("<script" not in html for html in parts.values())


@pytest.mark.parametrize("path", ["/tickets/7", "/tickets/new", "/desk"])
async def test_a_command_pressed_before_its_script_is_there_puts_nothing_into_the_address(
    desk: Reader, path: str
) -> None:
    forms = [attrs for tag, attrs in Outline((await opened(desk, path)).text).tags if tag == "form"]
    commands = [attrs for attrs in forms if "data-command" in attrs]
    assert {attrs["method"] for attrs in commands} == {"dialog"}  # which does nothing by itself


async def test_filters_stay_in_the_address_without_the_empty_ones(desk: Reader) -> None:
    token = desk.issuer.issue("anna", Role.AGENT)
    answer = await desk.http.get(
        "/tickets?q=&status=pending&group=&sort=due",
        headers={"HX-Request": "true", "Authorization": f"Bearer {token}"},
    )
    assert answer.headers["hx-push-url"] == "/tickets?status=pending&sort=due"
    assert "#f-q" not in answer.text
    assert "Printer on floor 3" in answer.text
    assert "Waits" not in answer.text
    assert "<html" not in answer.text


async def test_pages_of_the_list_follow_each_other_without_gap_or_repetition(
    reader: Reader,
) -> None:
    reader.feed(*(Story(number).opened() for number in range(1, 8)))
    path, seen = "/tickets?limit=3&sort=created", []
    while path:
        html = (await opened(reader, path)).text
        seen += re.findall(r'id="t-(\d+)"', html)
        following = re.search(r'id="page-next" rel="next" href="([^"]+)"', html)
        path = following[1].replace("&amp;", "&") if following else ""
    assert sorted(map(int, seen)) == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("/tickets?status=sideways", 422, "query status"),
        ("/tickets?limit=100000", 422, "query limit"),
        ("/tickets?cursor=nonsense", 422, "cursor"),
        ("/tickets?colour=red", 422, "query colour"),
        ("/tickets/4711", 404, "there is no ticket 4711"),
        ("/tickets/x'--", 422, "neither a UUID nor a ticket number"),
        ("/groups/nowhere", 404, "there is no group nowhere"),
    ],
)
async def test_bad_requests_get_a_page_that_names_the_reason(
    desk: Reader, path: str, status: int, told: str
) -> None:
    answer = await opened(desk, path)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    assert told in answer.text.replace("&#39;", "'")


async def test_parts_come_only_when_something_has_changed(desk: Reader) -> None:
    first = (await opened(desk, "/tickets/7/parts")).json()
    same = await opened(desk, f"/tickets/7/parts?stamp={first['stamp']}")
    assert same.status_code == 204
    later = await opened(desk, "/tickets/7/parts?stamp=1.0.0")
    assert later.json()["stamp"] == first["stamp"]


async def test_waiting_for_what_never_comes_ends_with_a_problem(desk: Reader) -> None:
    answer = await desk.http.get(
        "/tickets/7/parts?min_version=99",
        headers={
            "Authorization": f"Bearer {desk.issuer.issue('anna', Role.AGENT)}",
            "HX-Request": "true",
        },
    )
    assert answer.status_code == 504
    assert answer.json()["code"] == "not_projected_yet"


@pytest.mark.parametrize("name", ["app.css", "page.js", "vendor/htmx.min.js", "icon.svg"])
async def test_own_files_are_served_and_checked_by_tag(reader: Reader, name: str) -> None:
    answer = await reader.http.get(f"/static/{name}")
    assert answer.status_code == 200
    again = await reader.http.get(
        f"/static/{name}", headers={"If-None-Match": answer.headers["etag"]}
    )
    assert again.status_code == 304


@pytest.mark.parametrize("name", ["../pages.py", "..%2fpages.py", "nothing.js"])
async def test_only_own_files_are_served(reader: Reader, name: str) -> None:
    assert (await reader.http.get(f"/static/{name}")).status_code == 404


async def test_an_empty_desk_has_pages_that_say_so(reader: Reader) -> None:
    told: dict[str, Any] = {
        "/": "No ticket is open.",
        "/tickets": "No ticket fits.",
        "/agents": "No agents yet.",
        "/groups": "No groups yet.",
    }
    for path, words in told.items():
        assert words in (await opened(reader, path)).text
