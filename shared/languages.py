"""Languages as PostgreSQL's full text search knows them."""

from typing import Final

WITHOUT_STEMS: Final = "simple"
"""The dictionary that takes words as they are written, of any language."""

DICTIONARIES: Final = {
    "ar": "arabic", "ca": "catalan", "da": "danish", "de": "german", "el": "greek", "en": "english",
    "es": "spanish", "et": "estonian", "eu": "basque", "fi": "finnish", "fr": "french", "ga": "irish",
    "hi": "hindi", "hu": "hungarian", "hy": "armenian", "id": "indonesian", "it": "italian",
    "lt": "lithuanian", "nb": "norwegian", "ne": "nepali", "nl": "dutch", "nn": "norwegian",
    "no": "norwegian", "pt": "portuguese", "ro": "romanian", "ru": "russian", "sr": "serbian",
    "sv": "swedish", "ta": "tamil", "tr": "turkish", "yi": "yiddish",
}  # fmt: skip
"""Language → the text search configuration that PostgreSQL 18 has for it."""


def dictionary_of(language: str) -> str | None:
    """The configuration for a language (BCP 47); None when PostgreSQL has none."""
    return DICTIONARIES.get(language.partition("-")[0].lower())
