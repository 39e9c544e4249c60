"""Whether a subject tells anything: intake hints at it when a ticket is opened, query shows it on the page. Pure."""

import re
import unicodedata
from typing import Final

WORDS_MIN: Final = 2
"""One word names a thing, and not what is the matter with it."""

_PREFIX: Final = re.compile(
    r"^\s*(?:(?:re|aw|fwd?|wg|antw|sv|tr|rif|odp|pd|res|enc)\s*(?:\[\d+\])?\s*:\s*)+",
    re.IGNORECASE,
)
_TOKEN: Final = re.compile(r"\[[^\]]*#?\d+[^\]]*\]|#\d+")
_WORD: Final = re.compile(r"[^\W_]+")

# Words of all the languages we meet, without accents, that say that there is something, and not what.
_EMPTY_TEXT: Final = """
help problem problems issue issues question questions request urgent hello hi hey dear support ticket error
errors bug please asap important info information test testing message mail email inquiry enquiry query new
case need needed not working doesnt work broken something nothing stuff thing things trouble fyi attention the
a an my our your is it i we have with for to of and in on no subject none untitled contact form update follow
up hilfe frage fragen anfrage dringend hallo bitte fehler stoerung storung wichtig anliegen nachricht geht
nicht funktioniert kein keine betreff ohne probleme mein meine ein eine ich habe und aide probleme question
demande bonjour urgence erreur important ne marche pas sans objet un une le la mon ma ayuda problema pregunta
consulta urgente hola error solicitud no funciona sin asunto el mi aiuto domanda richiesta ciao errore non
funziona senza oggetto il mio ajuda duvida pedido ola erro nao sem assunto o meu minha hulp probleem vraag
verzoek dringend hallo fout werkt niet geen onderwerp het een mijn pomoc pytanie prosba pilne czesc blad nie
dziala bez tematu moj
"""
_EMPTY: Final = frozenset(_EMPTY_TEXT.split())


def why_uninformative(subject: str) -> str | None:
    """One sentence on why nobody can tell from the subject what the ticket is about; `None` when one can."""
    rest = _PREFIX.sub("", subject)
    words = _words(_TOKEN.sub(" ", rest))
    if not words:
        is_reply = rest != subject
        return f"“{subject.strip()}” {'only answers' if is_reply else 'has no words'}: say what is the matter."
    telling = [word for word in words if word not in _EMPTY and not word.isdigit()]
    if not telling:
        return f"“{subject.strip()}” could stand above any ticket: name the thing and what is the matter with it."
    if len(words) < WORDS_MIN:
        return f"“{subject.strip()}” is a single word: say what is the matter with it."
    return None


def _words(text: str) -> list[str]:
    decomposed = unicodedata.normalize("NFKD", text.casefold().replace("ł", "l").replace("'", ""))
    return _WORD.findall("".join(c for c in decomposed if not unicodedata.combining(c)))
