"""The words by which mail programs introduce what they quote, sign and forward, in the languages customers use.

`mail-parser-reply` knows thirteen languages and the shape of their sentences; this adds those it lacks. The library
is asked about a few lines at a time: over a whole hostile text its expressions take minutes.
"""

# ruff: noqa: RUF001 - letters of other alphabets are meant

import re
from collections.abc import Iterable
from functools import cache
from typing import Final

# The library ships no types.
from mailparser_reply.constants import MAIL_LANGUAGES  # type: ignore[import-untyped]
from mailparser_reply.parser import (  # type: ignore[import-untyped]
    EmailMessage as LibraryMessage,
)

WINDOW_CHARS_MAX: Final = 400
"""The longest introduction: a date, a name, an address, and their wrapping."""

ADVERTISEMENT_CHARS_MAX: Final = 120
"""`Sent from my …`; longer lines have something to say."""

COLONS: Final = (":", "：")
"""What an introduction ends with, here and in East Asia."""


def _any_of(words: Iterable[str]) -> str:
    return "|".join(words)


# "…wrote" where the library has no sentence, or a narrower one.
_WROTE_WORDS: Final = (
    "wrote|writes|said",
    "schrieb|geschrieben",
    "a écrit|écrit",
    "escribió|escreveu",
    "ha scritto|scrisse",
    "schreef|skrev|kirjoitti",
    r"napisał(?:a|\(a\))?|napsal(?:a|\(a\))?|napísal(?:a|\(a\))?",
    "írta|a scris|написа|yazdı|viết|menulis|έγραψε",
    r"(?:на)?писал(?:а|\(а\)|и)?|пишет|пише|(?:на)?писав(?:ла|\(ла\))?",
)
_WROTE: Final = re.compile(
    rf"(?:\b(?:{_any_of(_WROTE_WORDS)})\b|のメール|写道|寫道|작성|כתב|كتب)", re.IGNORECASE
)
_WHEN_OR_WHO: Final = re.compile(r"\d{1,4}[./:\-年]\s?\d{1,2}|\b\d{4}\b|[^\s<>@]+@[^\s<>@]+")
_EXACTLY: Final = re.compile(r"\b\d{1,2}[:.h]\d{2}\b|[^\s<>@]+@[^\s<>@]+")

_ORIGINAL_WORDS: Final = (
    "original message|original appointment|reply message",
    "ursprüngliche nachricht|originalnachricht|original-nachricht|antwort",
    "message d'origine|message original",
    "mensaje original|mensagem original|messaggio originale",
    "oorspronkelijk bericht|oprindelig meddelelse|ursprungligt meddelande|opprinnelig melding|alkuperäinen viesti",
    "oryginalna wiadomość|wiadomość oryginalna|původní zpráva|pôvodná správa|eredeti üzenet|mesaj original",
    "исходное сообщение|оригинальное сообщение|özgün ileti|orijinal mesaj",
    "元のメッセージ|原始邮件|原始郵件|원본 메(?:시|세)지",
)
_SEPARATOR: Final = re.compile(
    rf"\s*[-_=*]{{2,40}}\s*(?:{_any_of(_ORIGINAL_WORDS)})\s*[-_=*]{{2,40}}\s*", re.IGNORECASE
)
_FORWARD_WORDS: Final = (
    "forwarded (?:message|by)",
    "weitergeleitete nachricht",
    "message transf[ée]r[ée]",
    "mensaje reenviado|mensagem encaminhada|messaggio inoltrato",
    "doorgestuurd bericht|wiadomość przekazana|přeposlaná zpráva",
    "пересылаемое сообщение|пересланное сообщение|переслане повідомлення",
    "転送|转发的?邮件",
)
_FORWARD_SENTENCES: Final = (
    "begin forwarded message",
    "anfang der weitergeleiteten (?:nachricht|e-mail)",
    "début du message (?:transféré|réexpédié)",
    "начало переадресованного (?:сообщения|письма)",
)
_FORWARD: Final = re.compile(
    rf"\s*(?:[-_=*]{{2,40}}\s*(?:{_any_of(_FORWARD_WORDS)}).*|(?:{_any_of(_FORWARD_SENTENCES)})\s*:?)\s*",
    re.IGNORECASE,
)

# Fields of a mail as programs repeat them above a quote: who wrote, and the others.
_SENDER_WORDS: Final = (
    "from|von|de|da|van|fra|från|lähettäjä|od|feladó|de la|kimden",
    "от кого|от|від|差出人|发件人|寄件者|보낸 사람",
)
_OTHER_WORDS: Final = (
    "sent|to|cc|subject|date|reply-to",
    "gesendet|an|betreff|datum|kopie",
    "envoyé|à|objet|date d'envoi",
    "enviado(?: el| em)?|para|asunto|assunto|fecha|data|inviato|a|oggetto",
    "verzonden|aan|onderwerp|sendt|til|emne|skickat|till|ämne|lähetetty|vastaanottaja|aihe",
    "wysłano|wysłane|do|temat|odesláno|komu|předmět|poslané|predmet|küldve|címzett|tárgy|trimis|către|subiect",
    "отправлено|дата|кому|копия|тема|надіслано|gönderildi|tarih|kime|konu",
    "送信日時|宛先|件名|发送时间|收件人|主题|收件者|主旨|보낸 날짜|받는 사람|제목",
)
_FIELD: Final = re.compile(
    rf"[>\s]*[*_]{{0,2}}(?:(?P<sender>{_any_of(_SENDER_WORDS)})|(?P<other>{_any_of(_OTHER_WORDS)}))"
    r"\s*[*_]{0,2}\s*[:：][*_]{0,2}(?:\s|$)",
    re.IGNORECASE,
)

_SENT_FROM_WORDS: Final = (
    "sent (?:from|via|with|using) (?:my |the |yahoo|outlook|mail|gmail|samsung|proton|sparrow|aol|spark)",
    "sent from (?:blackberry|android|iphone|ipad)",
    "get outlook for",
    "(?:diese nachricht wurde )?von meinem .{2,40} gesendet",
    "gesendet (?:von|mit) (?:meinem|der|outlook|yahoo|mail)|holen sie sich outlook",
    "envoyé (?:de|depuis|à partir de) mon|télécharger outlook",
    r"enviado (?:desde|do|de) m(?:i|eu)\b|obtener outlook",
    "inviato da(?:l mio)? |verstuurd vanaf mijn|verzonden vanaf mijn",
    r"skickat från min|sendt fra min|lähetetty .{2,20}sta\b",
    "wysłan[eo] z (?:mojego|telefonu|iphone)|odesláno z ",
    "отправлено (?:с|из|от) |відправлено з |надіслано з ",
    "iphone'?um(?:dan|'dan) gönderildi|iphoneから送信|从我的.{1,20}发送|發自我的|나의 .{1,20}에서 보냄",
)
_SENT_FROM: Final = re.compile(rf"(?:{_any_of(_SENT_FROM_WORDS)})", re.IGNORECASE)
_CLOSING_WORDS: Final = (
    "(?:with )?(?:best|kind|warm|many)(?: regards| wishes)?|regards|all the best|sincerely(?: yours)?",
    "yours (?:sincerely|faithfully|truly)|cheers|thanks (?:and|&) (?:best |kind )?regards",
    "mit freundlichen? gr(?:ü|ue)(?:ß|ss)(?:en)?|mfg|(?:viele|liebe|beste|schöne|freundliche) gr(?:ü|ue)(?:ß|ss)e",
    "(?:bien )?cordialement|salutations(?: distinguées)?|bonne journée",
    "saludos(?: cordiales)?|un saludo|atentamente",
    "cordiali saluti|distinti saluti|atenciosamente|(?:com os )?(?:melhores )?cumprimentos",
    "met vriendelijke groet(?:en)?|(?:med )?v[äe]nliga? h[äi]ls(?:ning(?:ar)?|en)|mvh|ystävällisin terveisin",
    "z poważaniem|pozdrawiam|s pozdrave[mn]|üdvözlettel|cu stimă",
    "(?:с )?(?:наилучшими пожеланиями|уважением)|(?:з|із) повагою|saygılarımla",
)
_CLOSING: Final = re.compile(rf"(?:{_any_of(_CLOSING_WORDS)})\s*[,.!]?", re.IGNORECASE)


def introduces_quote(window: str) -> bool:
    """Whether these lines, joined, say that somebody wrote what follows."""
    said = window.strip()[:WINDOW_CHARS_MAX]
    if not said.rstrip(" *_>").endswith(COLONS):
        return False
    if _WROTE.search(said) and _WHEN_OR_WHO.search(said):
        return True
    return _library().search(said) is not None


def is_exact(window: str) -> bool:
    """Whether the lines hold a time or an address, as programs write them."""
    return _EXACTLY.search(window[:WINDOW_CHARS_MAX]) is not None


def is_separator(line: str) -> bool:
    """Whether the line is a program's `-----Original Message-----` in any language."""
    return len(line) <= WINDOW_CHARS_MAX and _SEPARATOR.fullmatch(line) is not None


def is_forward(line: str) -> bool:
    """Whether the line introduces a forwarded message."""
    return len(line) <= WINDOW_CHARS_MAX and _FORWARD.fullmatch(line) is not None


def field_of(line: str) -> tuple[str, bool] | None:
    """The field that the line repeats, in lower case, and whether it is the one that says who wrote."""
    found = _FIELD.match(line[:WINDOW_CHARS_MAX])
    if found is None:
        return None
    return (found["sender"] or found["other"]).lower(), found["sender"] is not None


def is_sent_from(line: str) -> bool:
    """Whether a program advertises itself or its telephone on this line."""
    said = line.strip()
    return len(said) <= ADVERTISEMENT_CHARS_MAX and _SENT_FROM.match(said) is not None


def is_closing(line: str) -> bool:
    """Whether the whole line is a closing such as `Kind regards,`."""
    return len(line) <= WINDOW_CHARS_MAX and _CLOSING.fullmatch(line.strip()) is not None


@cache
def _library() -> re.Pattern[str]:
    # Names of two letters are languages; the other one is its author's own.
    languages = [name for name in MAIL_LANGUAGES if name.isalpha() and len(name) < len("own")]
    compiled: re.Pattern[str] = LibraryMessage(text="", languages=languages).HEADER_REGEX
    return compiled
