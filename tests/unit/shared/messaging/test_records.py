"""An envelope is read, or it is refused as unreadable: nothing else, whatever a stranger wrote."""

import pytest
from aiokafka.structs import ConsumerRecord

from shared.errors import Unreadable
from shared.events import Owner, encode
from shared.identifiers import new_id
from shared.messaging.parking import describe
from shared.messaging.records import headers_of, read_envelope
from tests.support.events import opened


def record(**changes: bytes | None) -> ConsumerRecord:
    event = opened(new_id())
    raw = encode(event)
    headers = dict(headers_of(Owner.INTAKE, event.stream_id, 1, event.wire_type, raw)) | changes
    return ConsumerRecord(
        "p.tickets.v1", 0, 7, 0, 0, b"", raw, None, 0, len(raw), tuple(headers.items())
    )


def test_our_own_envelope_is_read():
    read = read_envelope(record(), "p.")
    assert (read.offset, read.version, read.wire_type) == (7, 1, "ticket.opened.v1")


@pytest.mark.parametrize("header", ["ce_subject", "ce_sequence", "ce_type"])
@pytest.mark.parametrize("value", [None, b"", b"\xff\xfe", b"nonsense\x00"])
def test_a_header_that_says_nothing_is_unreadable(header, value):
    with pytest.raises(Unreadable):
        read_envelope(record(**{header: value}), "p.")


@pytest.mark.parametrize("version", [b"0", b"-1", str(2**63).encode(), b"9" * 5000])
def test_a_version_that_no_stream_can_have_is_unreadable(version):
    with pytest.raises(Unreadable):
        read_envelope(record(ce_sequence=version), "p.")


def test_a_header_without_meaning_for_us_may_hold_any_bytes():
    assert read_envelope(record(trace=b"\xff\xfe"), "p.").version == 1


@pytest.mark.parametrize("text", ["a\0b", "half \ud800 a pair"])
def test_an_error_is_described_in_text_that_postgresql_takes(text):
    said = describe(ValueError(text))
    assert "\0" not in said
    assert said.encode("utf-8").startswith(b"ValueError: ")


def test_the_description_of_an_error_is_bounded():
    assert len(describe(ValueError("x" * 100_000))) == 4000
