"""Events of intake about how articles of the knowledge base are received. Their text is configuration (`article`)."""

from typing import ClassVar
from uuid import UUID

from shared.events.base import Event, Owner
from shared.identifiers import derived_id


class ArticleJudged(Event, frozen=True, kw_only=True, tag="article.judged.v1"):
    """A reader said whether an article helped; the last word of each reader counts.

    Attributes:
        name: of the article.
        article_version: which version was read.
        is_helpful: whether it did.
        previous: what the same reader said before; `null`: nothing.
    """

    OWNER: ClassVar[Owner] = Owner.INTAKE

    name: str
    article_version: int
    is_helpful: bool
    previous: bool | None = None

    @property
    def stream_id(self) -> UUID:
        return judgements_stream(self.name)


def judgements_stream(name: str) -> UUID:
    """The stream of what readers say of one article."""
    return derived_id("article-judgements", name)


ArticleEvent = ArticleJudged
