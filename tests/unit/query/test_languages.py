"""The language of a text: as the ticket says, else by its small words, else English."""

import pytest

from services.query.languages import stems
from services.query.views.highlights import pieces


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("de", "", "german"),
        ("pt-BR", "the and is", "portuguese"),
        ("pl", "der Drucker ist nicht an und ich kann es nicht ändern", "german"),
        (None, "Der Drucker ist seit heute kaputt, bitte helfen Sie mir und den anderen", "german"),
        (None, "Bonjour, je ne peux pas imprimer avec la nouvelle machine pour vous", "french"),
        (None, "The printer is broken and I can not print with it", "english"),
        (None, "Hej, jag kan inte skriva ut och det är viktigt", "swedish"),
        (None, "Принтер не работает и это на мой взгляд срочно", "russian"),
        (None, "VPN error 812", "english"),
        (None, "", "english"),
    ],
)
def test_a_text_is_searched_by_the_stems_of_its_language(
    language: str | None, text: str, expected: str
) -> None:
    assert stems(language, text) == expected


def test_marks_become_pieces_and_never_markup() -> None:
    marked = "a \ue000<b>fire\ue001 & \ue000fires\ue001"
    assert pieces(marked) == [
        {"text": "a ", "hit": False},
        {"text": "<b>fire", "hit": True},
        {"text": " & ", "hit": False},
        {"text": "fires", "hit": True},
    ]
    assert pieces("odd \ue001 text") == [
        {"text": "odd ", "hit": True},
        {"text": " text", "hit": False},
    ]
