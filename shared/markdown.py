"""Markdown as HTML that may stand in a page of ours: no scripts, no styles, no frames, whatever was written."""

import re
from typing import Final

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token

_MARKDOWN: Final = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable(
    ["table", "strikethrough"]
)
_TAGS: Final = {
    "a", "blockquote", "br", "code", "em", "h2", "h3", "h4", "h5", "h6", "hr", "img", "li", "ol", "p", "pre",
    "s", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_ATTRIBUTES: Final = {"a": {"href", "title"}, "img": {"alt", "loading", "src", "title"}}
_PICTURE: Final = re.compile(r"picture:([0-9a-f]{64})")

PICTURES_AT: Final = "/v1/articles/-/pictures/"
"""Where pictures of articles are."""


def to_html(text: str) -> str:
    """The text as HTML; a heading of the first order becomes one of the second, for the page has its own.

    HTML in the text is shown as it is written. Of images only our own pictures are shown (`picture:<hash>`), of others
    their words: pages of ours load nothing from elsewhere. Links lead to http, https and mailto only, and tell nobody
    where from.
    """
    tokens = _MARKDOWN.parse(text)
    for token in tokens:
        if token.tag == "h1":
            token.tag = "h2"
        for one in token.children or ():
            if one.type == "image":
                _show(one)
    made = _MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {})
    return nh3.clean(
        made,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        attribute_filter=_only_ours,
        link_rel="noopener noreferrer nofollow",
    )


def _show(image: Token) -> None:
    """A picture of ours at its address; of any other its words."""
    ours = _PICTURE.fullmatch(str(image.attrGet("src")))
    if ours is None:
        image.type, image.tag, image.children = "text", "", None
    else:
        image.attrSet("src", PICTURES_AT + ours[1])
        image.attrSet("loading", "lazy")


def _only_ours(tag: str, attribute: str, value: str) -> str | None:
    """The attribute as it stays; None: it goes."""
    if (tag, attribute) == ("img", "src") and not value.startswith(PICTURES_AT):
        return None
    return value
