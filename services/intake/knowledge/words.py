"""Articles in the words of their own language: the table that finds them, and what is asked of it."""

from datetime import datetime
from typing import Final, Literal, LiteralString

import msgspec

from services.intake.domain.articles import Article
from shared.database import Transaction

LISTED_MAX: Final = 200
"""More than anybody reads; words narrow it down."""

ASKED_CHARS_MAX: Final = 300
"""A subject, or what somebody types into a search field."""

_EXCERPT_CHARS: Final = 200

GROWING_CHARS_MIN: Final = 3
"""A shorter beginning of a word begins half of all words."""

# Each language asks in its own stems; any word may match, and the rank puts those with more of them first. The last
# word may still be growing under somebody's fingers, so it is also looked for as a beginning.
_FOUND: Final[LiteralString] = """
    SELECT a.name, ts_rank_cd(a.words, asked.query, 1) AS rank
    FROM (
        SELECT d.dictionary,
               replace(plainto_tsquery(d.dictionary, %(words)s)::text, '&', '|')::tsquery
                   || coalesce(to_tsquery('simple', %(growing)s), ''::tsquery) AS query
        FROM (SELECT DISTINCT dictionary FROM articles) AS d
    ) AS asked
    JOIN articles AS a ON a.dictionary = asked.dictionary AND a.words @@ asked.query
"""


_ALL: Final[LiteralString] = "SELECT name, 0.0 AS rank FROM articles"


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """Which articles; what is None is not asked for.

    Attributes:
        words: in any language; the best match comes first.
        language: articles in it come before all others.
    """

    words: str | None = None
    status: str | None = None
    audience: str | None = None
    language: str | None = None
    tag: str | None = None
    limit: int = LISTED_MAX


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """An article in a list. `excerpt`: how it begins."""

    name: str
    version: int
    title: str
    excerpt: str
    language: str
    tags: tuple[str, ...]
    audience: Literal["public", "internal"]
    status: Literal["draft", "published", "archived"]
    changed_at: datetime
    helpful_count: int
    not_helpful_count: int
    use_count: int


def put(tx: Transaction, name: str, article: Article) -> None:
    """The article is found by what it says now."""
    tx.cursor.execute(
        "INSERT INTO articles (name, title, language, dictionary, audience, status, tags, words, changed_at)"
        " VALUES (%(name)s, %(title)s, %(language)s, %(dictionary)s::regconfig, %(audience)s, %(status)s, %(tags)s,"
        "   setweight(to_tsvector('simple', %(title)s), 'A')"
        "   || setweight(to_tsvector(%(dictionary)s::regconfig, %(title)s), 'A')"
        "   || setweight(to_tsvector('simple', %(tagged)s), 'B')"
        "   || setweight(to_tsvector(%(dictionary)s::regconfig, %(body)s), 'C'), %(now)s)"
        " ON CONFLICT (name) DO UPDATE SET title = excluded.title, language = excluded.language,"
        "   dictionary = excluded.dictionary, audience = excluded.audience, status = excluded.status,"
        "   tags = excluded.tags, words = excluded.words, changed_at = excluded.changed_at",
        {
            "name": name,
            "title": article.title,
            "language": article.language,
            "dictionary": article.dictionary,
            "audience": article.audience,
            "status": article.status,
            "tags": list(article.tags),
            "tagged": " ".join(article.tags),
            "body": article.body,
            "now": tx.now,
        },
    )


def take_away(tx: Transaction, name: str) -> None:
    """Nobody finds it any more."""
    tx.cursor.execute("DELETE FROM articles WHERE name = %s", (name,))


def listed(tx: Transaction, chosen: Chosen) -> list[Found]:
    """The articles: by words the best first, else by title. A language that is named comes before the others."""
    words = " ".join((chosen.words or "").split())[:ASKED_CHARS_MAX]
    last = words.rpartition(" ")[2].lower()
    growing = f"{last}:*" if last.isalnum() and len(last) >= GROWING_CHARS_MIN else None
    tx.cursor.execute(
        "SELECT a.name, c.version, a.title,"  # noqa: S608  # put together from constants
        " left(c.definition ->> 'body', %(excerpt)s) AS excerpt,"
        " a.language, a.tags, a.audience, a.status, a.changed_at, a.helpful_count, a.not_helpful_count,"
        " coalesce(u.count, 0) AS use_count"
        f" FROM ({_FOUND if words else _ALL}) AS f JOIN articles AS a USING (name)"
        " JOIN configuration AS c ON c.kind = 'article' AND c.name = a.name"
        " LEFT JOIN prepared_uses AS u ON u.kind = 'article' AND u.name = a.name"
        " WHERE (%(status)s::text IS NULL OR a.status = %(status)s)"
        " AND (%(audience)s::text IS NULL OR a.audience = %(audience)s)"
        " AND (%(tag)s::text IS NULL OR %(tag)s = ANY (a.tags))"
        " ORDER BY (%(language)s::text IS NOT NULL AND split_part(lower(a.language), '-', 1) ="
        "   split_part(lower(%(language)s), '-', 1)) DESC, f.rank DESC, lower(a.title), a.name LIMIT %(limit)s",
        {
            "words": words,
            "growing": growing,
            "excerpt": _EXCERPT_CHARS,
            "status": chosen.status,
            "audience": chosen.audience,
            "tag": chosen.tag,
            "language": chosen.language,
            "limit": chosen.limit,
        },
    )
    return [msgspec.convert(row, Found) for row in tx.cursor.fetchall()]
