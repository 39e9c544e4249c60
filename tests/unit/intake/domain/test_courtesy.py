"""What is a bare "thank you", and what only begins like one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.domain.courtesy import thank_you


@pytest.mark.parametrize(
    ("body", "language"),
    [
        ("Thanks!", "en"),
        ("Thank you so much for your help", "en"),
        ("OK, thanks", "en"),
        ("Perfect, works now. Thanks a lot Anna!", "en"),
        ("Great 👍", "en"),
        ("Thanks :-)", "en"),
        (
            "Hi Anna,\n\nthank you very much, it works again.\n\nBest regards\nBen Miller\nACME Ltd",
            "en",
        ),
        ("thx\n\nSent from my iPhone", "en"),
        (
            "Thanks\n\nOn Monday, 2 March 2026, Anna wrote:\n> Does it still fail?\n> Try again?",
            "en",
        ),
        ("> Is it better?\nThank you", "en"),
        ("Vielen Dank!", "de"),
        ("Danke schön für die schnelle Hilfe, alles klar", "de"),
        ("Super, jetzt geht es wieder.\n\nMit freundlichen Grüßen\nBen", "de"),
        ("Merci beaucoup pour votre aide !", "fr"),
        ("Ça marche, merci", "fr"),
        ("¡Muchas gracias por su ayuda!", "es"),
        ("Ya funciona, gracias", "es"),
        ("Grazie mille, tutto ok", "it"),
        ("Muito obrigado pela ajuda, já funciona", "pt"),
        ("Bedankt voor de snelle reactie, het werkt weer", "nl"),
        ("Hartelijk dank!\n\nMet vriendelijke groet,\nBen", "nl"),
        ("Dziękuję bardzo za szybką pomoc, wszystko działa", "pl"),
        ("👍", "emoji"),
        ("🙏🏽❤️", "emoji"),
        ("😊 :)", "emoji"),
    ],
)
def test_a_bare_thank_you_is_recognised_with_its_language(body, language):
    found = thank_you(body, names=["Anna Berg", "Ben"])
    assert found is not None, body
    assert (found.rule, found.language) == ("thanks_after_solved", language)
    assert found.words


@pytest.mark.parametrize(
    "body",
    [
        "Thanks, but it still fails",
        "Thanks, it still fails.",
        "Thank you in advance",
        "Thanks for nothing",
        "Great, now it does not print at all",
        "Not ok",
        "no thanks",
        "OK?",
        "Thanks! When will it be delivered?",
        "Thanks, works. One more thing: the scanner",
        "thank you :(",
        "Thanks 😡",
        "👎",
        "Thanks for your help with invoice 4711",
        "Thanks\nIt fails again",
        "Danke, aber es geht nicht",
        "Danke, geht leider nicht",
        "Merci, mais ça ne marche pas",
        "Ça ne marche pas",
        "Gracias, pero sigue fallando",
        "No funciona",
        "Grazie ma non funziona",
        "Obrigado, mas não funciona",
        "Bedankt, maar het werkt niet",
        "Het werkt niet",
        "Dziękuję, ale nie działa",
        "Hello",
        "Anna",
        "and",
        "",
        "...",
        "$$$ thanks",
        "Thanks. Call me on 555 1234",
        "On Monday Anna wrote:\n> thanks",
        "Thanks\n\nBest regards\nBen\nPS: the scanner is broken",
        "Thanks\nOn Monday Anna wrote:\n> Does it work?\nNo, it fails.",
        "Thanks\n-- \nBen\n> Does it work?\nStill broken",
        "thanks " * 100,
    ],
)
def test_whatever_says_more_is_left_to_people(body):
    assert thank_you(body, names=["Anna Berg", "Ben"]) is None


@given(
    st.sampled_from(["Thanks", "Vielen Dank", "Merci", "Gracias", "Grazie", "Obrigado", "Bedankt"]),
    st.sampled_from([" ", ", ", "! ", "\n"]),
    st.text(alphabet=st.characters(whitelist_categories=["Lu", "Ll", "Nd"]), min_size=12),
)
def test_an_unknown_word_beside_thanks_is_never_swallowed(thanks, between, word):
    assert thank_you(thanks + between + word) is None


@given(st.text(max_size=800))
def test_any_text_gets_an_answer(body):
    thank_you(body, names=[body[:20]])
