"""An article of the knowledge base: what it is made of, and who may read it. Pure."""

import re
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from services.intake.domain import limits
from shared.errors import FieldError, Invalid
from shared.languages import WITHOUT_STEMS, dictionary_of

_Line = Annotated[str, Meta(pattern=r"^[^\r\n]*\S[^\r\n]*$", max_length=limits.NAME_CHARS_MAX)]
_Word = Annotated[str, Meta(pattern=r"^[^\r\n]*\S[^\r\n]*$", max_length=limits.WORD_CHARS_MAX)]
_Text = Annotated[str, Meta(pattern=r"\S", max_length=limits.ARTICLE_CHARS_MAX)]

_PICTURE: Final = re.compile(r"picture:([0-9a-f]{64})")
_PLACEHOLDER: Final = re.compile(r"\{\{[^{}]*\}\}")


class Article(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One article.

    Attributes:
        body: in Markdown; `![words](picture:<hash>)` shows a picture that was sent before.
        language: of title and body (BCP 47); it is searched by the words of that language.
        audience: `public`: everybody, without a login; `internal`: people who work here.
        status: only what is published is suggested, and shown to customers.
        promoted_from: the prepared text that it was made of.
    """

    title: _Line
    body: _Text
    language: Annotated[str, Meta(pattern=r"^[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*$")] = "en"
    tags: Annotated[tuple[_Word, ...], Meta(max_length=limits.TAGS_MAX)] = ()
    audience: Literal["public", "internal"] = "internal"
    status: Literal["draft", "published", "archived"] = "draft"
    promoted_from: _Word | None = None

    def check(self) -> None:
        """Raises Invalid: a published article still says what only a prepared text can fill in."""
        left = sorted({*_PLACEHOLDER.findall(self.body), *_PLACEHOLDER.findall(self.title)})
        if self.status == "published" and left:
            wrong = FieldError("body", f"write this out before it is published: {', '.join(left)}")
            raise Invalid("The article cannot be published.", errors=[wrong])

    @property
    def is_for_everybody(self) -> bool:
        """Whether customers may read it."""
        return self.audience == "public" and self.status == "published"

    @property
    def pictures(self) -> tuple[str, ...]:
        """The hashes of the pictures that it shows, each once."""
        return tuple(dict.fromkeys(_PICTURE.findall(self.body)))

    @property
    def dictionary(self) -> str:
        """PostgreSQL's text search configuration for its language; `simple` takes words as they are."""
        return dictionary_of(self.language) or WITHOUT_STEMS
