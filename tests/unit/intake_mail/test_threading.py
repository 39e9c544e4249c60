"""The signs that our mails carry: made, read back, and worthless without the key."""

from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.channels.mail import threading

KEY = b"k" * 32


@given(ticket=st.uuids(), message=st.uuids())
def test_our_ids_are_read_back_however_the_case_is_folded(ticket: UUID, message: UUID):
    made = threading.own_message_id(KEY, ticket, message, "desk.example")
    assert threading.read_own_message_id(KEY, made) == ticket
    assert threading.read_own_message_id(KEY, made.upper()) == ticket
    assert threading.read_own_message_id(b"other", made) is None
    assert len(f"In-Reply-To: <{made}>") <= 78


@given(st.text(max_size=120))
def test_no_text_makes_the_reader_stumble(text: str):
    assert threading.read_own_message_id(KEY, f"{text}@x") is None


def test_the_same_message_has_the_same_id_and_another_has_another():
    ticket, message = uuid4(), uuid4()
    made = {threading.own_message_id(KEY, ticket, one, "d") for one in (message, message, uuid4())}
    assert len(made) == 2


def test_a_subject_carries_its_token_once():
    once = threading.with_token(KEY, "Printer", 7)
    assert once.startswith("Printer [#7-")
    assert threading.with_token(KEY, f"Re: {once}", 7) == f"Re: {once}"


@pytest.mark.parametrize(
    ("address", "plain"),
    [("Help+7-abc@Desk.example", "help@desk.example"), ("help@desk.example", "help@desk.example")],
)
def test_what_follows_the_plus_is_ours(address: str, plain: str):
    assert threading.without_plus(address) == plain
    assert threading.plus_address(KEY, "help@desk.example", 7).startswith("help+7-")
