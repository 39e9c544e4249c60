"""Full text: in the language of each ticket, by subject, bodies and people; hits are shown and nothing runs."""

from typing import Any

import pytest
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.sql import SQL, Composed

from services.query.views import lists, matches
from services.query.views.list_filter import TicketFilter
from services.query.views.lists import Sort
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
    monkeypatch.setattr(matches, "GATHERED_MAX", 0)
    url = said.service.settings.database_url.get_secret_value()
    connection = await AsyncConnection.connect(
        url, row_factory=dict_row, options="-c search_path=query"
    )
    async with connection:
        found = await matches.matches(
            connection, TicketFilter(q=words), [SQL("t.version > 0")], Values(), Scope()
        )
    assert found.is_gathered is is_gathered


@pytest.mark.parametrize(
    ("of_the_word", "of_the_group", "passes_by", "is_gathered"),
    [
        (15_000, 10_000, True, True),
        (15_000, 10_000, False, False),  # an index holds the group in this order
        (15_000, 1_000_000, True, False),  # no group: fifty are met soon
        (15_000, 500, True, False),  # fewer than the word's: they are tested
        (40_000, 20_000, True, False),  # fifty of the group are met soon
        (5_000, 1_000_000, True, True),
    ],
)
async def test_a_word_of_a_group_is_looked_up_where_a_walk_would_pass_by_too_many(
    said: Reader,
    monkeypatch: pytest.MonkeyPatch,
    of_the_word: int,
    of_the_group: int,
    *,
    passes_by: bool,
    is_gathered: bool,
) -> None:
    async def expected(_: Any, statement: Composed, __: Values) -> int:
        asked = statement.as_string()
        if "search_documents" in asked:
            return of_the_word
        return of_the_group if "group_id" in asked else 1_000_000

    async def counted(*_: Any) -> int:
        return of_the_word

    monkeypatch.setattr(matches, "_expected", expected)
    monkeypatch.setattr(matches, "_counted", counted)
    async with (await said.service.store.pool()).connection() as connection:
        conditions = [SQL("t.version > 0"), SQL("t.group_id = 'desk'")]
        wanted = TicketFilter(q="word", group=("desk",))
        found = await matches.matches(
            connection, wanted, conditions, Values(), Scope(), passes_by=passes_by
        )
    assert found.is_gathered is is_gathered


@pytest.mark.parametrize(
    ("wanted", "sort", "index"),
    [
        (TicketFilter(group=("desk",), is_open=True), Sort.UPDATED_DESC, "tickets_group_changed"),
        (TicketFilter(group=("desk",), is_open=True), Sort.DUE, "tickets_group_due"),
        (TicketFilter(group=("desk",), is_open=True), Sort.CREATED, None),
        (TicketFilter(group=("desk", "net"), is_open=True), Sort.DUE, None),
        (TicketFilter(group=("desk",)), Sort.DUE, None),
    ],
)
async def test_a_walk_passes_by_nobody_only_where_an_index_holds_the_group(
    said: Reader, wanted: TicketFilter, sort: Sort, index: str | None
) -> None:
    assert lists._passes_by(wanted, sort) is (index is None)
    if index is not None:
        (found,) = said.rows(
            "SELECT indexdef FROM pg_indexes WHERE schemaname = 'query' AND indexname = %s", index
        )
        assert "(group_id, " in found["indexdef"]
