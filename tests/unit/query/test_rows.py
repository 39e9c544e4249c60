"""Values on their way into PostgreSQL."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.query.projections.tables import as_json
from services.query.projections.writes import cut
from services.query.views.ticket import parse_reference
from shared.errors import Invalid
from shared.identifiers import new_id


@given(st.text(alphabet='\x00\\u0a"é'))
def test_only_nul_characters_are_replaced(text: str) -> None:
    assert json.loads(as_json([text])) == [text.replace("\x00", "\ufffd")]
    assert "\\u0000" not in json.loads(as_json(["\x00"]))[0]


@given(st.text(max_size=60), st.integers(0, 80))
def test_a_cut_text_fits_and_is_a_beginning(text: str, limit: int) -> None:
    short = cut(text, bytes_max=limit)
    assert len(short.encode()) <= limit
    assert text.startswith(short)


def test_a_ticket_is_named_by_id_or_number() -> None:
    ticket = new_id()
    assert parse_reference(str(ticket)) == ticket
    assert parse_reference("#12") == parse_reference("12") == 12


@pytest.mark.parametrize("text", ["", "#", "-1", "1.5", "²", "9" * 30, "abc", "0x1"])
def test_anything_else_names_no_ticket(text: str) -> None:
    with pytest.raises(Invalid):
        parse_reference(text)
