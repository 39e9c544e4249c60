"""Full text: in the language of each ticket, by subject, bodies and people; hits are shown and nothing runs."""

from typing import Any

import pytest
from psycopg.sql import SQL

from services.query.views import effort, lists, matches
from services.query.views.counting import count_tickets
from services.query.views.list_filter import Named, TicketFilter
from services.query.views.lists import Sort
from services.query.views.matches import Walk
from services.query.views.scope import Scope
from services.query.views.values import Values
from shared.events.tickets import Person
from shared.security import Role
from tests.integration.query.conftest import Reader
from tests.integration.query.stories import Story
from tests.integration.query.test_lists import numbers

pytestmark = pytest.mark.integration

SAID = {
    1: ("de", "Drucker defekt", "Die Rechnungen werden nicht gedruckt."),
    2: ("fr", "Imprimante en panne", "Les factures ne sont plus imprimées."),
    3: (None, "Hilfe", "Ich habe seit gestern die Passwörter vergessen und kann nicht arbeiten."),
    4: ("es", "Impresoras", "Las impresoras no funcionan."),
    5: (None, "Password", "I have forgotten the password of my printers and cannot work."),
    6: ("pl", "Drukarka", "Drukarki nie działają."),
}


@pytest.fixture
def said(reader: Reader) -> Reader:
    reader.feed(
        *(
            Story(number).opened(
                language=language,
                subject=subject,
                body=body,
                requester=Person(f"p{number}", f"Ruiz{number} Gómez", f"p{number}@example.org"),
            )
            for number, (language, subject, body) in SAID.items()
        )
    )
    return reader


async def test_words_find_their_other_forms_in_every_language(said: Reader) -> None:
    for words, found in {
        "rechnung": {1},
        "facture": {2},
        "passwort": {3},
        "impresora": {4},
        "printer": {5},
        "drukarki": {6},
        "drukarka": {6},
        "ruiz3": {3},
        "p4@example.org": {4},
        "gómez": set(SAID),
        "gómez -rechnung": set(SAID) - {1},
        "gómez -rechnung -printer": set(SAID) - {1, 5},
        '"forgotten the password"': {5},
        '"password of my printer"': {5},
        '"password for my printer"': set(),
        "password for my printer": {5},
        "the": {5},
        "rechnung or facture": {1, 2},
        "-gómez": set(),
        "rechnung facture": set(),
    }.items():
        assert set(await numbers(said, q=words)) == found, words


async def test_hits_are_shown_in_subject_and_message_and_customers_see_no_note(
    reader: Reader,
) -> None:
    story = Story(1).opened(subject="<b>Fires</b> everywhere", body="Nothing.")
    story.note(1, "The word fire stands in this note.")
    reader.feed(story, Story(2).opened(subject="Smoke", body="It is on fire & smokes."))

    async def hits(**who: Any) -> dict[int, tuple[str, str | None]]:
        page = await reader.read("/v1/tickets", q="fire -water", highlight=True, **who)
        return {
            ticket["number"]: (shown(ticket["hits"]["subject"]), shown(ticket["hits"]["text"]))
            for ticket in page["tickets"]
        }

    def shown(pieces: Any) -> Any:
        return pieces and "".join(f"[{p['text']}]" if p["hit"] else p["text"] for p in pieces)

    found = await hits()
    assert found[1] == ("<b>[Fires]</b> everywhere", "The word [fire] stands in this note.")
    assert found[2] == ("Smoke", "It is on [fire] & smokes.")
    customer = await hits(role=Role.CUSTOMER, subject="carl")
    assert customer[1] == ("<b>[Fires]</b> everywhere", None)
    page = (await reader.get("/tickets", q="fire")).text
    assert "&lt;b&gt;<mark>Fires</mark>&lt;/b&gt; everywhere" in page


async def test_internal_text_stays_apart_whenever_it_comes(reader: Reader) -> None:
    """One batch or many: the public words are those of the customer's view, and no more."""
    for batch in (1, 50):
        story = (
            Story(batch).opened(body="alpha").note(1, "bravo").ask(2, "charlie").note(3, "delta")
        )
        reader.feed(story, batch=batch)
        as_customer = {"role": Role.CUSTOMER, "subject": "carl"}
        for word, is_public in (
            ("alpha", True),
            ("bravo", False),
            ("charlie", True),
            ("delta", False),
        ):
            assert batch in await numbers(reader, q=word)
            assert (batch in await numbers(reader, q=word, **as_customer)) is is_public


@pytest.mark.parametrize(("words", "is_gathered"), [("xyzzy", True), ("password", False)])
async def test_a_word_that_is_nowhere_is_looked_up_whatever_the_planner_expects(
    said: Reader, monkeypatch: pytest.MonkeyPatch, words: str, is_gathered: bool
) -> None:
    monkeypatch.setattr(matches, "COUNTED_MAX", 0)
    monkeypatch.setattr(effort, "cheapest", lambda *_: effort.Way(is_gathered=False, sets=0))
    async with (await said.service.store.pool()).connection() as connection:
        found = await matches.matches(
            connection,
            TicketFilter(q=words),
            [SQL("t.version > 0")],
            Values(),
            Scope(),
            page=50,
            walk=Walk(),
        )
    assert found.way.is_gathered is is_gathered


@pytest.mark.parametrize("sets", [0, 1])
async def test_a_phrase_is_tested_for_however_its_words_are_looked_up(
    said: Reader, monkeypatch: pytest.MonkeyPatch, sets: int
) -> None:
    monkeypatch.setattr(effort, "cheapest", lambda *_: effort.Way(is_gathered=True, sets=sets))
    for phrase, found in {
        '"forgotten the password"': {5},
        '"password the forgotten"': set(),
        '"password forgotten"': set(),
        'gómez -"forgotten the password"': set(SAID) - {5},
        'gómez -"password forgotten"': set(SAID),
        '"work cannot" or "las impresoras"': {4},
        '-"cannot work"': set(SAID) - {5},
    }.items():
        assert set(await numbers(said, q=phrase)) == found, phrase
        counted = await count_tickets(
            await said.store.pool(), TicketFilter(q=phrase), Scope(), at_most=9, seconds_max=9.0
        )
        assert counted.count == len(found)


async def test_what_a_note_says_is_not_found_by_a_customer_who_is_looked_up_by_words(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader.feed(Story(1).opened().note(1, "the customer is a pelican"), Story(2).opened())
    monkeypatch.setattr(effort, "cheapest", lambda *_: effort.Way(is_gathered=True, sets=1))
    as_customer = {"role": Role.CUSTOMER, "subject": "carl"}
    assert await numbers(reader, q="pelicans", **as_customer) == []
    assert await numbers(reader, q="pelicans") == [1]
    assert set(await numbers(reader, q="printers", **as_customer)) == {1, 2}


def of(requester: list[str] | None = None, **wanted: Any) -> Named:
    return Named(TicketFilter(**wanted), requester, seen=None)


@pytest.mark.parametrize(
    ("asked", "sort", "index"),
    [
        (of(group=("desk",), is_open=True), Sort.UPDATED_DESC, "tickets_group_changed"),
        (of(group=("desk",), is_open=True), Sort.DUE, "tickets_group_due"),
        (of(group=("desk",), is_open=True), Sort.CREATED, None),
        (of(group=("desk", "net"), is_open=True), Sort.DUE, None),
        (of(group=("desk",)), Sort.DUE, None),
        (of(["eve"]), Sort.UPDATED, "tickets_requester"),
        (of(["eve", "eve@example.org"]), Sort.UPDATED, None),
        (of(["eve"]), Sort.DUE, None),
    ],
)
async def test_a_walk_passes_by_nobody_only_where_an_index_holds_group_or_person(
    said: Reader, asked: Named, sort: Sort, index: str | None
) -> None:
    assert lists._walk(asked, sort).is_within is (index is not None)
    if index is not None:
        (found,) = said.rows(
            "SELECT indexdef FROM pg_indexes WHERE schemaname = 'query' AND indexname = %s", index
        )
        column = "requester_id" if asked.requester else "group_id"
        assert f"({column}, " in found["indexdef"]
