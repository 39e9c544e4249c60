"""The verbs of the knowledge base: writing, finding, judging, and making an article of an answer."""

import asyncio
from datetime import datetime
from typing import Any

import msgspec

from services.intake.app import Intake, Tx
from services.intake.configuration import Document, document, documents
from services.intake.domain.actions import Answer
from services.intake.domain.articles import Article
from services.intake.knowledge import pictures, words
from services.intake.knowledge.pictures import Picture
from services.intake.knowledge.words import Chosen, Found
from services.intake.uses import Uses, uses_of
from shared.errors import Forbidden, NotFound, Refused
from shared.events import Actor, Stamp
from shared.events.articles import ArticleJudged
from shared.events.configuration import ConfigurationDefined, configuration_stream
from shared.eventstore import Claim


class ArticleExists(Refused):
    """The name is another article's."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is an article {name} already", field="name")


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """An article to be read."""

    name: str
    version: int
    article: Article
    helpful_count: int
    not_helpful_count: int


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One of the states that an article went through. `article` None: it was taken away."""

    version: int
    at: datetime
    author: Actor
    article: Article | None


class UsedAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A prepared text with its use. `articles`: those that were made of it."""

    name: str
    version: int
    definition: dict[str, Any]
    use_count: int
    last_used_at: datetime | None
    articles: tuple[str, ...]


class Knowledge:
    """The verbs.

    Args:
        intake: whose steps they are made of.
    """

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    async def listed(self, chosen: Chosen) -> list[Found]:
        """Articles by their words, or all."""
        return await asyncio.to_thread(self._intake.read, lambda tx: words.listed(tx, chosen))

    async def shown(self, name: str, *, to_everybody: bool) -> Shown:
        """One article.

        Raises:
            NotFound: there is none, or not for customers.
        """
        return await asyncio.to_thread(
            self._intake.read, lambda tx: _shown(tx, name, to_everybody=to_everybody)
        )

    async def versions(self, name: str) -> list[Version]:
        """All that it ever said, newest first. Raises NotFound."""

        def look(tx: Tx) -> list[Version]:
            return [
                Version(
                    version=event.version,
                    at=event.recorded_at,
                    author=msgspec.structs.replace(event.actor, ip=None),
                    article=None if event.definition is None else _article(event.definition),
                )
                for event in reversed(tx.history(configuration_stream("article", name)))
                if isinstance(event, ConfigurationDefined)
            ]

        found = await asyncio.to_thread(self._intake.read, look)
        if not found:
            raise NotFound(f"there is no article {name}")
        return found

    async def write(
        self,
        name: str,
        article: Article | None,
        stamp: Stamp,
        *,
        may_publish: bool,
        expected: int | None = None,
        claim: Claim | None = None,
    ) -> Document:
        """Give an article a new version; None takes it away.

        Raises:
            Conflict, NotFound: see `Configuration.define`.
            Invalid: it names a picture that nobody has sent.
            Forbidden: it is or was published, and the caller may not publish.
        """

        def work(tx: Tx) -> Document:
            if not may_publish:
                _refuse_publishing(tx, name, article)
            return self._write(tx, name, article, stamp, expected=expected)

        return (await self._intake.together(work, Document, claim=claim)).result

    def _write(
        self, tx: Tx, name: str, article: Article | None, stamp: Stamp, *, expected: int | None
    ) -> Document:
        if article is not None:
            pictures.check(tx, article)
        said = None if article is None else msgspec.to_builtins(article)
        done = self._intake.configuration.define(
            tx, "article", name, said, stamp, expected=expected
        )
        pictures.note(tx, name, article)
        if article is None:
            words.take_away(tx, name)
        else:
            words.put(tx, name, article)
        return done

    async def keep_picture(self, picture: Picture, *, by: str) -> None:
        """From now on articles can show it."""
        await asyncio.to_thread(self._intake.read, lambda tx: pictures.keep(tx, picture, by=by))

    async def picture(self, sha256: str) -> tuple[Picture, bool] | None:
        """A picture, and whether everybody may see it."""
        return await asyncio.to_thread(self._intake.read, lambda tx: pictures.find(tx, sha256))

    async def judge(
        self, name: str, *, is_helpful: bool, stamp: Stamp, to_everybody: bool
    ) -> Shown:
        """A reader says whether it helped; the last word of each reader counts.

        Raises:
            NotFound: there is none, or not for this reader.
        """

        def work(tx: Tx) -> Shown:
            shown = _shown(tx, name, to_everybody=to_everybody)
            return _judged(tx, shown, is_helpful=is_helpful, stamp=stamp)

        return (await self._intake.together(work, Shown)).result

    async def promote(
        self, answer: str, name: str, changes: dict[str, Any], stamp: Stamp, *, claim: Claim | None
    ) -> Document:
        """Make a draft of a prepared text, for somebody to write out its placeholders.

        Raises:
            NotFound: there is no such prepared text.
            ArticleExists: the name is taken.
        """

        def work(tx: Tx) -> Document:
            found = msgspec.convert(document(tx, "answer", answer).definition, Answer)
            draft = Article(title=found.title, body=found.body, promoted_from=answer, **changes)
            if any(one.name == name for one in documents(tx, "article")):
                raise ArticleExists(name)
            return self._write(tx, name, draft, stamp, expected=None)

        return (await self._intake.together(work, Document, claim=claim)).result

    async def answers(self, *, by_uses: bool) -> list[UsedAnswer]:
        """All prepared texts with how often replies named them; by name, or the most used first."""

        def look(tx: Tx) -> list[UsedAnswer]:
            uses = uses_of(tx, "answer")
            made: dict[str, list[str]] = {}
            for one in documents(tx, "article"):
                made.setdefault(one.definition.get("promoted_from", ""), []).append(one.name)
            return [
                UsedAnswer(
                    name=one.name,
                    version=one.version,
                    definition=one.definition,
                    use_count=uses.get(one.name, Uses()).count,
                    last_used_at=uses.get(one.name, Uses()).last_used_at,
                    articles=tuple(made.get(one.name, ())),
                )
                for one in documents(tx, "answer")
            ]

        found = await asyncio.to_thread(self._intake.read, look)
        return sorted(found, key=lambda one: -one.use_count) if by_uses else found


def _refuse_publishing(tx: Tx, name: str, article: Article | None) -> None:
    """What readers find, or found, changes by the hand of who may publish. Raises Forbidden."""
    before = [_article(one.definition) for one in documents(tx, "article") if one.name == name]
    if any(one is None or one.status != "draft" for one in (article, *before)):
        raise Forbidden(
            "Supervisors publish, archive and change what is published.", field="status"
        )


def _article(definition: dict[str, Any]) -> Article:
    return msgspec.convert(definition, Article)


def _shown(tx: Tx, name: str, *, to_everybody: bool) -> Shown:
    found = document(tx, "article", name)
    article = _article(found.definition)
    if to_everybody and not article.is_for_everybody:
        raise NotFound(f"there is no article {name}")
    tx.cursor.execute(
        "SELECT helpful_count, not_helpful_count FROM articles WHERE name = %s", (name,)
    )
    row = tx.cursor.fetchone()
    assert row is not None, "it is written with the document"
    return Shown(name=name, version=found.version, article=article, **row)


def _judged(tx: Tx, shown: Shown, *, is_helpful: bool, stamp: Stamp) -> Shown:
    tx.cursor.execute(
        "SELECT judged_version, (SELECT is_helpful FROM article_judgements AS j"
        "   WHERE j.name = a.name AND j.reader = %s) AS previous"
        " FROM articles AS a WHERE name = %s FOR UPDATE",
        (stamp["actor"].id, shown.name),
    )
    row = tx.cursor.fetchone()
    assert row is not None, "it was just read"
    previous: bool | None = row["previous"]
    if previous is is_helpful:
        return shown
    tx.append(
        ArticleJudged(
            **(stamp | {"version": row["judged_version"] + 1}),
            name=shown.name,
            article_version=shown.version,
            is_helpful=is_helpful,
            previous=previous,
        )
    )
    tx.cursor.execute(
        "INSERT INTO article_judgements (name, reader, is_helpful) VALUES (%s, %s, %s)"
        " ON CONFLICT (name, reader) DO UPDATE SET is_helpful = excluded.is_helpful",
        (shown.name, stamp["actor"].id, is_helpful),
    )
    helpful = shown.helpful_count + is_helpful - (previous is True)
    not_helpful = shown.not_helpful_count + (not is_helpful) - (previous is False)
    tx.cursor.execute(
        "UPDATE articles SET helpful_count = %s, not_helpful_count = %s, judged_version = judged_version + 1"
        " WHERE name = %s",
        (helpful, not_helpful, shown.name),
    )
    return msgspec.structs.replace(shown, helpful_count=helpful, not_helpful_count=not_helpful)
