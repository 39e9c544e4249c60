"""Which language a ticket's text is in: by that language's stems it is found."""

from collections import Counter
from itertools import chain
from typing import Final

from shared.languages import DICTIONARIES, WITHOUT_STEMS, dictionary_of

USUAL: Final = "english"
"""Of texts whose language nobody said and that do not show it."""

ALL: Final = (WITHOUT_STEMS, *dict.fromkeys(DICTIONARIES.values()))
"""In which forms words are asked for: a text is kept by the stems of its language, which may be any. Small words such
as "the" are asked for only where there are no others."""

EVERY_WORD: Final = (WITHOUT_STEMS, *dict.fromkeys(map("{}_words".format, DICTIONARIES.values())))
"""The same where small words count as well: in a "phrase"."""

_LOOKED_AT_CHARS: Final = 1_500
_HITS_MIN: Final = 2

# Short words that are frequent in one language and in few others of these.
_FREQUENT: Final = {
    "english": "the and is are was with this that have for not you your from my been please would",
    "german": "der die das und ist nicht mit ein eine ich wir sie bitte auf für von zu bei wird kann seit",
    "french": "le les des est et pas une dans pour vous nous avec sur ne je mon ma depuis être bonjour",
    "spanish": "el los las una por con para que no se mi está del hola puedo desde pero muy",
    "italian": "il gli della che non per una sono con mio dal più questo ho grazie buongiorno quando",
    "dutch": "het een niet en van ik wij dat op met voor zijn kan graag naar maar sinds deze",
    "portuguese": "os uma não com para que meu minha está você obrigado quando mais olá pelo desde",
    "swedish": "och det att inte jag är på som har kan med från vi hej men sedan",
    "danish": "og det ikke jeg er på som har kan med fra vi hej men siden af",
    "finnish": "ja ei se on että ole kun minun mutta voi tämä hei kiitos miten",
    "russian": "и не на что это как по мы вы для нет от но при",
}
_LANGUAGES: Final[dict[str, tuple[str, ...]]] = {
    word: tuple(name for name, words in _FREQUENT.items() if word in words.split())
    for words in _FREQUENT.values()
    for word in words.split()
}


def configuration(language: str | None, text: str) -> str:
    """PostgreSQL's text search configuration by which a text is kept: the stems of all its words (migration 0412)."""
    return f"{stems(language, text)}_words"


def stems(language: str | None, text: str) -> str:
    """Whose stems those are. `language`: as the ticket says it (`pt-BR`); else small words tell."""
    if language is not None and (known := dictionary_of(language)):
        return known
    small = filter(None, map(_LANGUAGES.get, text[:_LOOKED_AT_CHARS].lower().split()))
    ranked = Counter(chain.from_iterable(small)).most_common(2)
    is_clear = (
        bool(ranked)
        and ranked[0][1] >= _HITS_MIN
        and ranked[0][1] > sum(count for _, count in ranked[1:])
    )
    return ranked[0][0] if is_clear else USUAL
