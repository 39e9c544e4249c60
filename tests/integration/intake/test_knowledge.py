"""The knowledge base over HTTP: found in its language, judged, made of answers; customers see what is theirs."""

from uuid import uuid4

import pytest

from shared.events.articles import judgements_stream
from shared.events.tickets import AgentReplied
from shared.markdown import PICTURES_AT
from shared.security import Role
from tests.integration.intake.test_life import FOR_BEN

pytestmark = pytest.mark.integration

ARTICLE = {"title": "Reset your password", "body": "Open *Settings* and press **Reset**."}
PUBLIC = {"audience": "public", "status": "published"}


@pytest.fixture
def word() -> str:
    """A word that no other test's article has."""
    return f"zq{uuid4().hex[:10]}"


async def written(who, name: str | None = None, **said) -> str:
    name = name or f"article-{uuid4().hex[:8]}"
    answer = await who.send("PUT", f"/v1/articles/{name}", ARTICLE | said)
    assert answer.status_code == 200, answer.text
    return name


async def found(who, **asked) -> list[str]:
    query = "&".join(f"{key}={value}" for key, value in asked.items())
    answer = await who.send("GET", f"/v1/articles?{query}")
    assert answer.status_code == 200, answer.text
    return [one["name"] for one in answer.json()["articles"]]


async def test_an_article_has_versions_with_authors_and_is_shown_as_clean_html(agent, supervisor):
    name = await written(agent, body="See [this](https://a.example) <script>x</script>")
    await written(supervisor, name, **PUBLIC)
    read = (await agent.send("GET", f"/v1/articles/{name}")).json()
    assert (read["version"], read["article"]["status"]) == (2, "published")
    assert read["html"] == "<p>Open <em>Settings</em> and press <strong>Reset</strong>.</p>\n"
    versions = (await agent.send("GET", f"/v1/articles/{name}/versions")).json()["versions"]
    assert [(one["version"], one["author"]["id"]) for one in versions] == [(2, "sue"), (1, "anna")]
    assert "ip" not in versions[0]["author"]
    crossed = await supervisor.send(
        "PUT", f"/v1/articles/{name}", ARTICLE | {"title": "Late"}, If_Match='"1"'
    )
    assert crossed.status_code == 412


async def test_articles_are_found_by_the_words_of_their_language(agent, supervisor, word):
    german = await written(
        supervisor, title=f"Drucker {word}", body="Die Häuser drucken nicht.", language="de", **PUBLIC
    )  # fmt: skip
    english = await written(
        supervisor, title="Printing", body=f"The houses {word} are burning.", **PUBLIC
    )
    assert await found(agent, suggest=f"{word} haus") == [german, english], "the title weighs more"
    assert await found(agent, suggest="gedruckt", tag="none") == []
    assert english in await found(agent, q="burned house", language="en")
    assert german in await found(agent, q="Hauses druckte")
    assert await found(agent, suggest=word[:6]) == [german, english], "a word that is still typed"
    assert await found(agent, suggest=word[:2]) == [], "too little to begin a word"
    assert await found(agent, suggest=f"{word} house", language="de") == [german, english]
    assert await found(agent, suggest=" ") == []
    assert await found(agent, suggest="the of and") == []


@pytest.mark.parametrize("words", ["'", "a & | ! ( :*", "\\", "%00x"[3:], "&&&", "x" * 300])
async def test_whatever_is_typed_is_only_words(agent, customer, words):
    for who in (agent, customer):
        answer = await who.desk.http.get(
            "/v1/articles", params={"suggest": words}, headers=who._headers
        )
        assert answer.status_code == 200, answer.text


async def test_customers_find_and_read_only_what_is_public_and_published(
    agent, supervisor, customer, word
):
    internal = await written(supervisor, title=word, status="published")
    draft = await written(agent, title=word, audience="public")
    archived = await written(supervisor, title=word, audience="public", status="archived")
    public = await written(supervisor, title=word, **PUBLIC)
    assert set(await found(agent, q=word)) == {internal, draft, archived, public}
    assert set(await found(agent, suggest=word)) == {internal, public}
    for asked in ({"q": word}, {"suggest": word}, {"q": word, "status": "draft"}):
        assert await found(customer, **asked) == [public]
    assert await found(customer, q=word, audience="internal") == [public]
    for hidden in (internal, draft, archived):
        assert (await customer.send("GET", f"/v1/articles/{hidden}")).status_code == 404
        judged = await customer.post(f"/v1/articles/{hidden}/judgements", {"is_helpful": True})
        assert judged.status_code == 404
    assert (await customer.send("GET", f"/v1/articles/{public}")).status_code == 200
    assert (await customer.send("GET", f"/v1/articles/{public}/versions")).status_code == 403
    assert (await customer.send("PUT", f"/v1/articles/{public}", ARTICLE)).status_code == 403


async def test_what_readers_find_changes_by_the_hand_of_a_supervisor(agent, supervisor):
    refused = await agent.send("PUT", "/v1/articles/agents-own", ARTICLE | PUBLIC)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (403, "status")
    name = await written(supervisor, **PUBLIC)
    assert (await agent.send("PUT", f"/v1/articles/{name}", ARTICLE)).status_code == 403
    assert (await agent.send("DELETE", f"/v1/articles/{name}")).status_code == 403
    gone = await supervisor.send("DELETE", f"/v1/articles/{name}")
    assert gone.json()["version"] == 2
    assert (await agent.send("GET", f"/v1/articles/{name}")).status_code == 404
    versions = (await agent.send("GET", f"/v1/articles/{name}/versions")).json()["versions"]
    assert [one["article"] is None for one in versions] == [True, False]


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"title": "two\nlines"}, "title"),
        ({"body": " "}, "body"),
        ({"body": "x" * 50_001}, "body"),
        ({"language": "de_DE"}, "language"),
        ({"status": "hidden"}, "status"),
        ({"colour": "red"}, "colour"),
        ({"body": "Hello {{requester.name}}", "status": "published"}, "body"),
    ],
)
async def test_a_wrong_article_is_refused_by_name(supervisor, said, field):
    answer = await supervisor.send("PUT", "/v1/articles/wrong", ARTICLE | said)
    assert answer.status_code == 422
    assert [one["field"] for one in answer.json()["errors"]] == [field]


async def test_the_last_word_of_each_reader_counts_and_stands_in_the_events(
    desk, supervisor, customer, caller
):
    name = await written(supervisor, **PUBLIC)
    mira = caller("mira", Role.CUSTOMER)
    path = f"/v1/articles/{name}/judgements"
    for who, helped in ((customer, True), (mira, True), (mira, True), (mira, False)):
        answer = await who.post(path, {"is_helpful": helped})
        assert answer.status_code == 200, answer.text
    assert (answer.json()["helpful_count"], answer.json()["not_helpful_count"]) == (1, 1)
    events = await desk.events(str(judgements_stream(name)))
    assert [(one.version, one.actor.id, one.is_helpful, one.previous) for one in events] == [
        (1, "ben", True, None),
        (2, "mira", True, None),
        (3, "mira", False, True),
    ]
    # A new version of the text leaves what readers said, and what they say next has the next version.
    await written(supervisor, name, title="Anew", **PUBLIC)
    assert (await customer.post(path, {"is_helpful": False})).json()["not_helpful_count"] == 2


async def test_an_answer_that_is_used_often_is_told_and_becomes_a_draft(
    desk, agent, customer, supervisor
):
    names = [f"answer-{uuid4().hex[:8]}" for _ in range(2)]
    for name in names:
        body = {"title": "Password", "body": "Dear {{requester.name}}, press reset."}
        assert (await supervisor.send("PUT", f"/v1/answers/{name}", body)).status_code == 200
    article = await written(supervisor, **PUBLIC)
    sources = [{"kind": "answer", "name": names[1]}, {"kind": "article", "name": article}]
    for _ in range(2):
        ticket = (await agent.open(**FOR_BEN))["ticket_id"]
        said = {"body": "Press reset.", "sources": sources}
        sent = await agent.post(f"/v1/tickets/{ticket}/replies", said)
        assert sent.status_code == 201, sent.text
    (reply,) = [one for one in await desk.events(ticket) if isinstance(one, AgentReplied)]
    assert [(one.kind, one.name, one.version) for one in reply.sources] == [
        ("answer", names[1], 1),
        ("article", article, 1),
    ]
    listed = (await agent.send("GET", "/v1/answers?order=uses")).json()["documents"]
    ours = [(one["name"], one["use_count"]) for one in listed if one["name"] in names]
    assert ours == [(names[1], 2), (names[0], 0)]
    assert (await agent.send("GET", f"/v1/articles?q={'reset'}")).json()["articles"]

    promoted = await agent.post(f"/v1/answers/{names[1]}/promote", {"audience": "public"})
    assert promoted.status_code == 201, promoted.text
    assert promoted.headers["location"] == f"/v1/articles/{names[1]}"
    draft = (await agent.send("GET", f"/v1/articles/{names[1]}")).json()["article"]
    assert (draft.get("status", "draft"), draft["promoted_from"]) == ("draft", names[1])
    again = await agent.post(f"/v1/answers/{names[1]}/promote")
    assert (again.status_code, again.json()["code"]) == (409, "article_exists")
    assert (await agent.post(f"/v1/answers/{uuid4().hex}/promote")).status_code == 404
    assert (await customer.post(f"/v1/answers/{names[0]}/promote")).status_code == 403
    listed = (await agent.send("GET", "/v1/answers")).json()["documents"]
    assert [one["articles"] for one in listed if one["name"] == names[1]] == [[names[1]]]
    early = await supervisor.send("PUT", f"/v1/articles/{names[1]}", draft | PUBLIC)
    assert "{{requester.name}}" in early.json()["errors"][0]["message"]


async def test_a_reply_names_only_what_exists_and_a_customer_names_nothing(agent, customer):
    ticket = (await agent.open(**FOR_BEN))["ticket_id"]
    said = {"body": "Hello", "sources": [{"kind": "article", "name": "nowhere"}]}
    answer = await agent.post(f"/v1/tickets/{ticket}/replies", said)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "sources[0]")
    assert (await customer.post(f"/v1/tickets/{ticket}/replies", said)).status_code == 403


async def test_everybody_finds_reads_and_judges_the_public_pages(desk, agent, supervisor, word):
    hidden = [
        await written(supervisor, title=word, status="published"),
        await written(agent, title=word, audience="public"),
    ]
    name = await written(supervisor, title=f"Reset <b> {word}", **PUBLIC)
    suggested = (await desk.http.get("/help/-/suggest", params={"q": word})).json()["articles"]
    assert suggested == [{"title": f"Reset <b> {word}", "url": f"/help/{name}", "language": "en"}]
    listed = await desk.http.get("/help", params={"q": word})
    assert f'<a href="/help/{name}">Reset &lt;b&gt; {word}</a>' in listed.text
    assert not any(one in listed.text for one in hidden)
    page = await desk.http.get(f"/help/{name}")
    assert "<strong>Reset</strong>" in page.text
    assert "script-src" not in page.headers["content-security-policy"]
    for one in hidden:
        assert (await desk.http.get(f"/help/{one}")).status_code == 404
        assert (await desk.http.post(f"/help/{one}", data={"helped": "yes"})).status_code == 404
    for said in ("yes", "yes", "no"):
        done = await desk.http.post(f"/help/{name}", data={"helped": said})
        assert done.headers["location"] == f"/help/{name}?judged=true"
    read = (await agent.send("GET", f"/v1/articles/{name}")).json()
    assert (read["helpful_count"], read["not_helpful_count"]) == (0, 1)
    events = await desk.events(str(judgements_stream(name)))
    assert {one.actor.id.partition(":")[0] for one in events} == {"reader"}
    assert all(one.actor.ip is None for one in events)
    assert (await desk.http.post(f"/help/{name}", data={"helped": "maybe"})).status_code == 422
    assert (await desk.http.get("/help/-/suggest?q=%20")).json() == {"articles": []}
    assert (await desk.http.get("/help?q=%00")).status_code == 422


PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 40


async def sent(who, picture: bytes):
    return await who.post(PICTURES_AT.rstrip("/"), picture, content_type="text/plain")


async def seen(desk, sha256: str, who=None) -> int:
    if who is None:
        return (await desk.http.get(f"{PICTURES_AT}{sha256}")).status_code
    return (await who.send("GET", f"{PICTURES_AT}{sha256}")).status_code


async def test_a_picture_is_seen_by_whoever_may_read_an_article_that_shows_it(
    desk, agent, customer, supervisor, word
):
    answer = await sent(agent, PNG + word.encode())
    assert answer.status_code == 201, answer.text
    picture = answer.json()
    assert picture["content_type"] == "image/png"
    sha256, text = picture["sha256"], f"Look: {picture['markdown']}"
    assert [await seen(desk, sha256, who) for who in (None, customer, agent)] == [401, 404, 200]

    name = await written(supervisor, body=text, audience="public")
    assert await seen(desk, sha256) == 401, "it is a draft"
    await written(supervisor, name, body=text, **PUBLIC)
    shown = await desk.http.get(f"{PICTURES_AT}{sha256}")
    assert (shown.content, shown.headers["content-type"]) == (PNG + word.encode(), "image/png")
    assert shown.headers["x-content-type-options"] == "nosniff"
    page = await desk.http.get(f"/help/{name}")
    assert f'<img src="{PICTURES_AT}{sha256}"' in page.text
    assert "img-src 'self'" in page.headers["content-security-policy"]

    await written(supervisor, name, body="No picture.", **PUBLIC)
    assert await seen(desk, sha256) == 401, "nothing shows it any more"


@pytest.mark.parametrize(
    "body", [b"", b"<svg onload=alert(1)>", b"RIFF0000WAVE", b"%PDF-1.7", b"\x89PNG\r\n"]
)
async def test_what_is_no_picture_is_refused(agent, customer, body):
    assert (await sent(agent, body)).status_code == 415
    assert (await sent(customer, PNG)).status_code == 403


async def test_an_article_names_only_pictures_that_were_sent(agent):
    body = f"![x](picture:{'ab' * 32})"
    answer = await agent.send("PUT", "/v1/articles/none", ARTICLE | {"body": body})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "body")
    assert (await agent.send("GET", "/v1/articles/none")).status_code == 404, "nothing is kept"
