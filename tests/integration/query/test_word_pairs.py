"""Phrases are found by pairs of words, in documents that were read, have changed since, or were never read."""

import random
from types import SimpleNamespace
from typing import Any

import pytest
from psycopg.sql import SQL

from services.query import word_pairs
from services.query.languages import EVERY_WORD
from services.query.views import effort, phrases
from services.query.views.text_query import query_of
from services.query.views.values import Values
from shared.database import Transaction
from shared.security import Role
from tests.integration.query.conftest import Reader
from tests.integration.query.stories import Story
from tests.integration.query.test_lists import numbers
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

WORDS = ("printer", "prints", "rot", "der", "of", "e-mail")
PHRASE = '"green ink"'


def said(chance: random.Random) -> str:
    return " ".join(chance.choices(WORDS, k=chance.randrange(1, 7)))


def phrase(chance: random.Random) -> str:
    return f'"{" ".join(chance.choices(WORDS, k=chance.randrange(2, 4)))}"'


def read_what_may_be_read(reader: Reader) -> None:
    while reader.store.transact(word_pairs.read_some):
        pass


async def read_all(reader: Reader) -> None:
    """Until nothing is left: transactions of other databases on this server keep the reader waiting as well."""

    def nothing_is_left() -> bool:
        read_what_may_be_read(reader)
        return not reader.rows(
            "SELECT FROM tickets WHERE change_tx >= (SELECT change_tx FROM search_pairs_progress)"
        )

    await eventually(nothing_is_left, what="every document is read")


async def by_pairs(reader: Reader, words: str) -> set[int] | None:
    """What the pairs alone find, before any document is looked at; None: they are not asked."""
    values = Values()
    async with (await reader.store.pool()).connection() as connection:
        found = await phrases.candidates(
            connection, (await query_of(connection, words)).whole, values
        )
        if found is None:
            return None
        statement = SQL("SELECT number FROM tickets WHERE ticket_id IN ({})").format(found)
        return {
            row["number"] for row in await (await connection.execute(statement, values)).fetchall()
        }


def plainly(reader: Reader, words: str, *, without: str | None = None, document: str) -> set[int]:
    """The same by reading every document in every language."""
    test = "(SELECT bool_or({} @@ websearch_to_tsquery(w::regconfig, %s)) FROM unnest(%s::text[]) AS w)"
    conditions, values = [test.format(document)], [words, list(EVERY_WORD)]
    if without is not None:
        conditions.append("NOT " + test.format(document))
        values += [without, list(EVERY_WORD)]
    rows = reader.rows(
        "SELECT t.number FROM tickets AS t JOIN search_documents AS d USING (ticket_id)"
        f" WHERE {' AND '.join(conditions)}",
        *values,
    )
    return {row["number"] for row in rows}


async def test_phrases_find_what_reading_every_document_finds(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks, however it is looked up, and however much of the documents has been read."""
    chance = random.Random(7)
    monkeypatch.setattr(word_pairs, "STEP", 7)
    stories = [
        Story(number).opened(subject=said(chance), body=said(chance), language=language)
        for number, language in enumerate(chance.choices(("de", "en", "sv", None), k=60))
    ]
    reader.feed(*stories[:40])
    await read_all(reader)
    later = [story.note(1, said(chance)).ask(2, said(chance)) for story in stories[:20]]
    reader.feed_events([event for story in later for event in story.events[1:]])
    reader.store.transact(word_pairs.read_some)
    reader.feed(*stories[40:])
    narrowed = 0
    for turn in range(60):
        first, second, third = phrase(chance), phrase(chance), phrase(chance)
        words, without = chance.choice(
            [(first, None), (f"{first} {second}", None), (f"{first} or {second}", None),
             (f"{first} rot", None), (f"{first} or rot", None), (first, third)]
        )  # fmt: skip
        way = (
            effort.Way(is_gathered=True, sets=0),
            effort.Way(is_gathered=True, sets=1),
            effort.Way(is_gathered=False, sets=1, tested_max=30, is_known=True),
        )[turn % 3]
        monkeypatch.setattr(effort, "cheapest", lambda *_, way=way: way)
        asked = words if without is None else f"{words} -{without}"
        found = plainly(reader, words, without=without, document="d.everything")
        assert set(await numbers(reader, q=asked)) == found, asked
        public = plainly(
            reader, words, without=without, document="coalesce(d.public, d.everything)"
        )
        as_customer = {"role": Role.CUSTOMER, "subject": "carl"}
        assert set(await numbers(reader, q=asked, **as_customer)) == public, asked
        candidates = await by_pairs(reader, asked)
        if candidates is not None:
            assert candidates >= found | public, asked
            narrowed += len(candidates) < 50
    assert narrowed > 20


async def test_pairs_of_a_ticket_at_rest_are_read_once_and_find_it_alone(reader: Reader) -> None:
    reader.feed(
        Story(1).opened(body="The green ink is empty."), Story(2).opened(body="Ink is green.")
    )
    await read_all(reader)
    assert await by_pairs(reader, PHRASE) == {1}
    # Words of one note beside those of another, which customers do not see between their own.
    reader.feed_events(Story(3).opened(body="green").note(1, "brown").ask(2, "ink").events, batch=1)
    assert await by_pairs(reader, PHRASE) == {1, 3}
    await read_all(reader)
    assert await by_pairs(reader, PHRASE) == {1, 3}
    assert await numbers(reader, q=PHRASE, role=Role.CUSTOMER, subject="carl") == [3, 1]
    assert await numbers(reader, q=PHRASE) == [1]
    before = reader.rows("SELECT xmin::text FROM search_pairs ORDER BY ticket_id")
    reader.store.transact(lambda tx: tx.cursor.execute("UPDATE tickets SET is_at_risk = true"))
    await read_all(reader)
    assert reader.rows("SELECT xmin::text FROM search_pairs ORDER BY ticket_id") == before


async def test_what_is_committed_late_is_found_before_and_after_it_is_read(reader: Reader) -> None:
    late, other = Story(1).opened(body="green ink"), Story(2).opened(body="green ink")
    reader.feed(late, other)
    await read_all(reader)
    with reader.store._sync.connection() as slow:
        slow.execute("UPDATE tickets SET is_at_risk = true WHERE number = 1")
        slow.execute(
            "UPDATE search_documents SET everything = to_tsvector('simple', 'red ink'), indexed_bytes = 1000"
            " WHERE ticket_id = %s", (late.ticket_id,)
        )  # fmt: skip
        reader.feed(Story(3).opened(body="red ink"))
        read_what_may_be_read(reader)  # cannot pass the one that still runs
        slow.commit()
    assert set(await numbers(reader, q='"red ink"')) == {1, 3}
    await read_all(reader)
    assert await by_pairs(reader, '"red ink"') == {1, 3}
    assert await numbers(reader, q=PHRASE) == [2]


@pytest.mark.parametrize(("step", "looked_at"), [(2, 3), (3, 2), (1, 1), (99, 99)])
async def test_of_documents_that_a_rebuild_exchanged_only_others_than_before_are_read(
    reader: Reader, monkeypatch: pytest.MonkeyPatch, step: int, looked_at: int
) -> None:
    """One that customers see in another form than before is another, too."""
    reader.feed(*(Story(number).opened(body="green ink") for number in range(1, 12)))
    await read_all(reader)
    reader.store.transact(
        lambda tx: tx.cursor.execute(
            "UPDATE search_pairs_progress SET documents = 0;"
            "UPDATE search_documents SET everything = to_tsvector('simple', 'red ink') FROM tickets AS t"
            " WHERE t.ticket_id = search_documents.ticket_id AND number IN (1, 2, 5, 11);"
            "UPDATE search_documents SET public = to_tsvector('simple', 'red') FROM tickets AS t"
            " WHERE t.ticket_id = search_documents.ticket_id AND number = 7"
        )
    )
    written = (
        "SELECT number FROM search_pairs AS p JOIN tickets USING (ticket_id)"
        " WHERE p.xmin::text::bigint >= %s ORDER BY number"
    )
    (now,) = reader.rows("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS tx")
    assert await by_pairs(reader, PHRASE) is None
    assert set(await numbers(reader, q=PHRASE)) == {3, 4, 6, 7, 8, 9, 10}
    monkeypatch.setattr(word_pairs, "STEP", step)
    monkeypatch.setattr(word_pairs, "_LOOKED_AT", looked_at)
    await read_all(reader)
    assert await by_pairs(reader, PHRASE) == {3, 4, 6, 7, 8, 9, 10}
    assert await by_pairs(reader, '"red ink"') == {1, 2, 5, 11}
    assert [row["number"] for row in reader.rows(written, now["tx"])] == [1, 2, 5, 7, 11]


async def test_too_many_unread_tickets_are_not_candidates(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    await read_all(reader)
    reader.feed(*(Story(number).opened(body="green ink") for number in range(3)))
    assert await by_pairs(reader, PHRASE) == {0, 1, 2}
    monkeypatch.setattr(phrases, "UNREAD_MAX", 2)
    assert await by_pairs(reader, PHRASE) is None
    assert set(await numbers(reader, q=PHRASE)) == {0, 1, 2}


async def test_one_process_reads_at_a_time(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(tx: Transaction) -> bool:
        tx.cursor.execute("SET LOCAL lock_timeout = '2s'")
        return word_pairs.read_some(tx)

    monkeypatch.setattr(word_pairs, "STEP", 1)
    reader.feed(Story(1).opened(body="green ink"), Story(2).opened(body="green ink"))
    assert reader.store.transact(read)
    with reader.store._sync.connection() as other:
        other.execute("SELECT FROM search_pairs_progress FOR UPDATE")
        assert not reader.store.transact(read)
    assert reader.rows("SELECT count(*) AS n FROM search_pairs") == [{"n": 1}]
    await read_all(reader)
    assert reader.rows("SELECT count(*) AS n FROM search_pairs") == [{"n": 2}]


async def test_a_process_that_comes_second_goes_on_from_where_the_first_has_come(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(word_pairs, "STEP", 1)
    reader.feed(Story(1).opened(body="green ink"))
    await read_all(reader)
    reader.feed(Story(2).opened(body="green ink"))

    def overtaken(tx: Transaction) -> bool:
        def execute(query: str, *parameters: Any) -> Any:
            if "FOR UPDATE" in query:
                reader.feed(Story(3).opened(body="green ink"))
                read_what_may_be_read(reader)
            return tx.cursor.execute(query, *parameters)

        cursor: Any = SimpleNamespace(execute=execute)
        return word_pairs.read_some(Transaction(cursor))

    await eventually(
        lambda: not reader.rows(word_pairs._NOW)[0]["is_all_read"], what="the second can be read"
    )
    reader.store.transact(overtaken)
    assert reader.rows("SELECT first_after FROM search_pairs_progress") == [{"first_after": None}]
    await read_all(reader)
    assert await by_pairs(reader, PHRASE) == {1, 2, 3}
