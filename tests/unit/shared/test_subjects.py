"""Which subjects tell nobody anything, and which are let be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.subjects import why_uninformative


@pytest.mark.parametrize(
    "subject",
    ["help", "Help!!!", "problem", "URGENT", "Re:", "Re: Fwd: ", "Re: AW: help", "not working", "???",
     "Hello", "question 2", "[Ticket #4711]", "Printer", "Anfrage", "Hilfe, dringend", "problème", "pomoc",
     "no subject", "Error", "Ayuda urgente", "-"],
)  # fmt: skip
def test_a_subject_that_could_stand_above_any_ticket_is_hinted_at(subject: str) -> None:
    hint = why_uninformative(subject)
    assert hint is not None
    assert subject.strip() in hint


@pytest.mark.parametrize(
    "subject",
    ["Printer prints every page twice", "Re: Invoice 4711 is wrong", "VPN drops after a minute",
     "Drucker brennt", "Error 0x80070005 when saving", "Help with VPN", "Нет доступа к почте", "打印机 坏了"],
)  # fmt: skip
def test_a_telling_subject_is_let_be(subject: str) -> None:
    assert why_uninformative(subject) is None


@given(st.text(max_size=300))
def test_any_subject_gets_an_answer(subject: str) -> None:
    why_uninformative(subject)
