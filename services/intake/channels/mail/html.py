"""HTML bodies as text, and without what their mail program quoted; nothing is ever loaded."""

import re
from typing import Final

# Neither library ships types.
from inscriptis.css_profiles import CSS_PROFILES  # type: ignore[import-untyped]
from inscriptis.html_engine import Inscriptis  # type: ignore[import-untyped]
from inscriptis.model.config import ParserConfig  # type: ignore[import-untyped]
from lxml import etree  # type: ignore[import-untyped]
from lxml.html import HtmlElement, HTMLParser, document_fromstring  # type: ignore[import-untyped]

HTML_CHARS_MAX: Final = 1_000_000
"""How much is turned into text. A page of a novel has 2,000 characters, the rest of a newsletter is styling."""

ELEMENTS_MAX: Final = 20_000
"""Elements laid out, which costs some 50 microseconds each; beyond, the words are taken without layout."""

DEPTH_MAX: Final = 200
"""Elements within each other that are laid out; beyond, as above. Threads of many answers come to a hundred or two."""

ATTRIBUTES_MAX: Final = 1_000
"""Of one element: the parser compares each with all before it, so a hundred thousand would cost it minutes."""

UNSURE_MAX: Final = 20_000
"""Words behind a tag that programs read differently: all of them may be its attributes."""

_LAYOUT: Final = ParserConfig(css=CSS_PROFILES["strict"], display_images=False)
_UNSEEN: Final = ("script", "style", "title", "meta", "link", "template", "noscript")
_DROPPED: Final = "dropped"
"""Given to elements as their tag, so that the library takes all of them out in one go."""

# Containers that mail programs put around the message answered, and around signatures.
_CLASSED: Final = "//*[contains(concat(' ', normalize-space(@class), ' '), ' {} ')]"
_QUOTES: Final = (
    "//blockquote[@type='cite']",  # Apple Mail, Thunderbird
    _CLASSED.format("gmail_quote"),
    _CLASSED.format("gmail_quote_container"),
    _CLASSED.format("moz-cite-prefix"),
    _CLASSED.format("yahoo_quoted"),
    _CLASSED.format("protonmail_quote"),
    _CLASSED.format("tutanota_quote"),
    _CLASSED.format("zmail_extra"),
    _CLASSED.format("OutlookMessageHeader"),
    _CLASSED.format("ms-outlook-mobile-reference-message"),
    "//*[@id='mail-editor-reference-message-container']",  # Outlook on Android
)
_FROM_HERE_ON: Final = (
    "//*[@id='appendonsend']",  # Outlook on the web
    "//*[@id='divRplyFwdMsg']",
    "//hr[@id='stopSpelling']",  # Hotmail
    "//hr[@id='zwchr']",  # Zimbra
    "//*[@id='OLK_SRC_BODY_SECTION']",  # Outlook for Mac
    "//div[contains(@style, 'border:none;border-top:solid #')]",  # Outlook for Windows
    "//div[contains(@style, 'border: none; border-top: solid #')]",
    "//*[@name='quote' and contains(@style, 'border-left')]",  # GMX, WEB.DE
)
_SIGNATURES: Final = (
    _CLASSED.format("gmail_signature"),
    _CLASSED.format("moz-signature"),
    _CLASSED.format("protonmail_signature_block"),
    "//*[@id='Signature' or @id='ms-outlook-mobile-signature' or @id='ymail_android_signature']",
)
_FIND_QUOTES: Final = etree.XPath("|".join(_QUOTES))
_FIND_FROM_HERE_ON: Final = etree.XPath("|".join(_FROM_HERE_ON))
_FIND_SIGNATURES: Final = etree.XPath("|".join(_SIGNATURES))
_FORWARDED: Final = re.compile(
    r"\A[\s-]*(?:forwarded message|begin forwarded message|weitergeleitete nachricht|message transf|"
    r"пересылаемое сообщение|mensaje reenviado|messaggio inoltrato)",
    re.IGNORECASE,
)
_OPENS: Final = re.compile(r"<[A-Za-z]")
_ATTRIBUTE: Final = r"""[\s/]*+[^\s"'>=/]++(?:\s*+=\s*+(?:"[^"]*+"|'[^']*+'|[^\s"'>]++))?+"""
_TAG: Final = re.compile(rf"<[A-Za-z][^\s/>]*+(?:{_ATTRIBUTE})*+[\s/]*+>")
_ATTRIBUTES: Final = re.compile(_ATTRIBUTE)
_ANY_TAG: Final = re.compile(r"<[^<>]*>?")
_BLANKS: Final = re.compile(r"\n[ \t\u00a0]*(?:\n[ \t\u00a0]*){2,}")


def to_text(html: str) -> str:
    """What a person sees, with line breaks where they see them; links show their words only.

    Scripts, styles and comments are left out. At most `HTML_CHARS_MAX` characters are read.
    """
    tree = _tree(html)
    return "" if tree is None else _text(tree)


def reply_to_text(html: str) -> str:
    """As `to_text`, without what known mail programs mark as quote or signature; "" if nothing else is there.

    A forwarded message is what its sender wants to say, and stays.
    """
    tree = _tree(html)
    if tree is None:
        return ""
    for element in _FIND_FROM_HERE_ON(tree):
        _drop_from(element)
    for element in _FIND_QUOTES(tree):
        if not _FORWARDED.match(_start_of(element)):
            element.tag = _DROPPED
    for element in _FIND_SIGNATURES(tree):
        element.tag = _DROPPED
    # Not `drop_tree` on each: it puts text together in Python, and refuses control characters there.
    etree.strip_elements(tree, _DROPPED, with_tail=False)
    return "" if tree.tag == _DROPPED else _text(tree)


def content_ids(html: str) -> frozenset[str]:
    """Ids of the parts shown inside the text (`cid:`, RFC 2392), in lower case."""
    return frozenset(
        found.lower()
        for found in re.findall(r"cid:([^\s\"'<>)]{1,998})", html[: 4 * HTML_CHARS_MAX])
    )


def _tree(html: str) -> HtmlElement | None:
    cut = html[:HTML_CHARS_MAX].replace("\x00", "")
    # lxml refuses text that declares its own encoding; what it declares has been true once, before decoding.
    cut = re.sub(r"\A\s*<\?xml[^>]{0,200}\?>", "", cut)
    if not cut.strip():
        return None
    if _costs_too_much(cut):
        cut = _ANY_TAG.sub(" ", cut)
    # UTF-8 by word and by bytes: otherwise the parser believes the sender's `meta`.
    parser = HTMLParser(encoding="utf-8", no_network=True, huge_tree=True)
    try:
        tree: HtmlElement = document_fromstring(cut.encode("utf-8", "replace"), parser=parser)
    except etree.ParserError:
        # Nothing but comments: there is no text either.
        return None
    etree.strip_elements(
        tree, *_UNSEEN, etree.Comment, etree.ProcessingInstruction, with_tail=False
    )
    return tree


def _costs_too_much(html: str) -> bool:
    """Whether an element has, or may have, more attributes than any mail program writes."""
    at = 0
    while (opens := _OPENS.search(html, at)) is not None:
        tag = _TAG.match(html, opens.start())
        if tag is None:
            return len(html[opens.start() :].split(maxsplit=UNSURE_MAX)) > UNSURE_MAX
        inside = tag[0]
        if len(inside) > ATTRIBUTES_MAX:
            count = sum(
                1
                for _ in zip(_ATTRIBUTES.finditer(inside), range(ATTRIBUTES_MAX + 2), strict=False)
            )
            if count > ATTRIBUTES_MAX + 1:  # the name is counted too
                return True
        at = tag.end()
    return False


def _text(tree: HtmlElement) -> str:
    if not _can_be_laid_out(tree):
        said = " ".join(str(piece) for piece in tree.itertext())
    else:
        said = Inscriptis(tree, _LAYOUT).get_text()
    lines = (line.rstrip() for line in said.replace("\u00a0", " ").split("\n"))
    return _BLANKS.sub("\n\n", "\n".join(lines)).strip("\n")


def _can_be_laid_out(tree: HtmlElement) -> bool:
    """Whether the library can: each element costs it time, each level of nesting a call within calls."""
    elements = depth = 0
    for event, _ in etree.iterwalk(tree, events=("start", "end")):
        depth += 1 if event == "start" else -1
        elements += event == "start"
        if elements > ELEMENTS_MAX or depth > DEPTH_MAX:
            return False
    return True


def _drop_from(element: HtmlElement) -> None:
    """Take the element and everything after it away, out to the body."""
    if element.tag == _DROPPED or any(above.tag == _DROPPED for above in element.iterancestors()):
        # An earlier one took it along; going over its siblings again would cost the square of their number.
        return
    at = element
    while at.getparent() is not None and at.tag != "body":
        for following in at.itersiblings(etree.Element):
            following.tag = _DROPPED
            following.tail = None
        at.tail = None
        at = at.getparent()
    element.tag = _DROPPED


def _start_of(element: HtmlElement) -> str:
    said = ""
    for piece in element.itertext():
        said += str(piece)
        if len(said) > 200:  # noqa: PLR2004 - long enough for the marker
            break
    return said
