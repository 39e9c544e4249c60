"""A bare "thank you" after the solution: recognised only when the whole message says nothing else.

The rule errs to the safe side. Quotes and signatures are put away; then every word that is left must belong to a phrase
of thanks, agreement or farewell below, or be the name of somebody in the conversation. One other word, a question mark,
a sad face: somebody should look, and the ticket reopens.
"""

import re
import unicodedata
from collections.abc import Collection, Iterator
from typing import Final

from services.intake.domain import thanks
from shared.events.tickets import Courtesy

RULE: Final = "thanks_after_solved"
"""The name under which events explain themselves."""

CHARS_MAX: Final = 600
"""What is longer than a short paragraph says more than thanks."""

_READ_CHARS_MAX: Final = 50_000
"""With all that it quotes; longer mail is read by people."""

_WORDS_MAX: Final = 40
_PHRASE_WORDS_MAX: Final = 6

_GLAD: Final = frozenset("👍👌🙏😊🙂😀😃😄😁😉☺❤💯✅✔🎉🥳👏🙌💪🤝😍🤩⭐🌟✨💙💚💛🧡💜🤗😎🫶☀🌞🌹💐")
_SYMBOLS: Final = frozenset({"So", "Sc", "Sm"})
_ASKED_OR_SAD: Final = frozenset("?\u00bf\u037e\uff1f")
_POSTSCRIPT: Final = re.compile(r"^\s*(?:p\.?\s?s\b|n\.?\s?b\b)", re.IGNORECASE)
_PLAIN_FACE: Final = re.compile(r"(?<!\w)[:;=]-?[)D]+|(?<!\w)\^\^(?!\w)|<3")
_SAD_FACE: Final = re.compile(r"(?<!\w)[:;=]'?-?[(/|\\]")
_WORD: Final = re.compile(r"[^\W_]+")
_QUOTED: Final = re.compile(r"^\s*(?:>|\|)")
_WROTE: Final = re.compile(
    r"^\s*(?:on\b.*\bwrote:|am\b.*\bschrieb\b.*:|le\b.*a [ée]crit\s*:|el\b.*escribi[óo]:|il\b.*ha scritto:"
    r"|em\b.*escreveu:|op\b.*schreef\b.*:|.*\bpisze:|-{2,}\s*(?:original|urspr|message|mensaje|messaggio|mensagem|oorspronk|oryginal).*"
    r"|_{8,}|(?:from|von|de|da|van|od):\s.*@.*)\s*$",
    re.IGNORECASE,
)
_SIGNATURE: Final = re.compile(
    r"^\s*(?:-{2}|—|\u2013|sent from my\b.*|von meinem\b.*gesendet.*|gesendet von\b.*|envoy[ée] de mon\b.*"
    r"|enviado desde\b.*|enviado do\b.*|inviato da\b.*|verzonden vanaf\b.*|wys[łl]ano z\b.*"
    r"|(?:with )?(?:best|kind|warm|many)?\s*regards|yours (?:sincerely|faithfully|truly)|sincerely|best wishes"
    r"|(?:mit )?(?:freundlichen?|besten?|vielen?|lieben?|herzlichen?|sch[öo]nen?)\s+gr[üu](?:ß|ss)en?.*|mfg"
    r"|(?:bien )?cordialement|bien [àa] vous|(?:un )?(?:cordial )?saludos?(?: cordiales)?|atentamente"
    r"|(?:cordiali|distinti) saluti|atenciosamente|(?:com os )?(?:melhores )?cumprimentos"
    r"|met vriendelijke groet(?:en)?|(?:z powa[żz]aniem|pozdrawiam))\s*[,.!]*\s*$",
    re.IGNORECASE,
)


def thank_you(body: str, *, names: Collection[str] = ()) -> Courtesy | None:
    """Why the message is nothing but thanks; `None` when it says, or may say, anything else.

    Args:
        body: the message as text, quotes and signature included.
        names: of the people in the conversation; "Thanks Anna!" is thanks too.
    """
    text = _own_words(body) if len(body) <= _READ_CHARS_MAX else None
    if text is None or len(text) > CHARS_MAX or not _ASKED_OR_SAD.isdisjoint(text):
        return None
    if _SAD_FACE.search(text):
        return None
    text, faces = _PLAIN_FACE.subn(" ", text)
    symbols = {one for one in text if unicodedata.category(one) in _SYMBOLS}
    words = _plain(text)
    if not symbols <= _GLAD or len(words) > _WORDS_MAX:
        return None  # another symbol may mean anything
    if not words:
        is_glad = bool(faces or symbols)
        return Courtesy(RULE, "emoji", (text.strip() or ":)")[:20]) if is_glad else None
    found = _phrases(words, {name for one in names for name in _plain(one)})
    if not found:
        return None
    languages = [language for phrase in found for language in _CORE[phrase]]
    return Courtesy(RULE, max(thanks.CORE, key=languages.count), found[0])


def _own_words(body: str) -> str | None:
    """The text without quotes and signature; `None` when a postscript follows the signature."""
    lines = body.strip().splitlines()
    kept: list[str] = []
    in_signature = False
    for place, line in enumerate(lines):
        if _QUOTED.match(line):
            in_signature = False
        elif _WROTE.match(line):
            if not any(map(_QUOTED.match, lines[place + 1 :])):
                break  # the whole older message follows, without marks
            in_signature = False
        elif in_signature:
            if _POSTSCRIPT.match(line):
                return None
        elif kept and _SIGNATURE.match(line):
            in_signature = True
        else:
            kept.append(line)
    return "\n".join(kept).strip()


def _phrases(words: list[str], names: set[str]) -> list[str]:
    """The core phrases in order; none when a word belongs to nothing known."""
    found: list[str] = []
    place = 0
    while place < len(words):
        for phrase in _longest_first(words, place):
            if phrase in _CORE:
                found.append(phrase)
            elif phrase not in _BESIDE and phrase not in names:
                continue
            place += phrase.count(" ") + 1
            break
        else:
            return []
    return found


def _longest_first(words: list[str], place: int) -> Iterator[str]:
    for length in range(min(_PHRASE_WORDS_MAX, len(words) - place), 0, -1):
        yield " ".join(words[place : place + length])


def _plain(text: str) -> list[str]:
    """The words in small letters without accents."""
    decomposed = unicodedata.normalize("NFKD", text.casefold().replace("ł", "l"))
    return _WORD.findall("".join(c for c in decomposed if not unicodedata.combining(c)))


def _by_phrase(listed: dict[str, str]) -> dict[str, list[str]]:
    """Phrase → the languages that know it."""
    phrases: dict[str, list[str]] = {}
    for language, line in listed.items():
        for phrase in line.split("|"):
            phrases.setdefault(phrase, []).append(language)
    return phrases


_CORE: Final = _by_phrase(thanks.CORE)
_BESIDE: Final = frozenset(_by_phrase(thanks.BESIDE))
