"""Every event version ever published stays readable for ever: the golden files are its witnesses.

A file is written once, when a type is first published, and never changed. A new type without a file fails here.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from shared.errors import Unreadable
from shared.events import UnknownEvent, decode, encode, known_types
from shared.topics import OWNERS, topic_of

GOLDEN = Path(__file__).with_name("golden")
FILES = sorted(GOLDEN.glob("*.json"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_published_event_stays_readable_with_all_it_said(file: Path):
    raw = file.read_bytes()
    event = decode(file.stem, raw)
    assert not isinstance(event, UnknownEvent), "a published type has been forgotten"
    then, now = json.loads(raw), json.loads(encode(event))
    assert lost(then, now) == []


def lost(then: Any, now: Any, path: str = "") -> list[str]:
    """Paths of what was said then and is not said now; objects may have gained fields (additive fields keep `v1`)."""
    if isinstance(then, dict) and isinstance(now, dict):
        return [
            fault
            for name, value in then.items()
            for fault in lost(value, now.get(name, ...), f"{path}.{name}")
        ]
    return [] if then == now else [path]


def test_what_is_lost_is_noticed_at_any_depth():
    then = {"id": 1, "profile": {"name": "a", "skills": {"key": 2}}, "items": [1]}
    assert lost(then, then | {"more": 1, "profile": then["profile"] | {"more": None}}) == []
    assert lost(then, {**then, "profile": {"name": "a"}}) == [".profile.skills"]
    assert lost(then, {**then, "profile": {"name": "a", "skills": {"key": 3}}}) == [
        ".profile.skills.key"
    ]
    assert lost(then, {"profile": None, "items": [1, 2]}) == [".id", ".profile", ".items"]
    assert lost({"said": None}, {}) == [".said"]


def test_every_type_has_a_golden_file():
    assert sorted(known_types()) == [file.stem for file in FILES]


@pytest.mark.parametrize("wire_type", sorted(known_types()))
def test_every_type_belongs_to_the_topic_of_its_owner(wire_type: str):
    assert OWNERS[topic_of(wire_type)] is known_types()[wire_type].OWNER


def test_unknown_fields_are_passed_over():
    raw = json.loads((GOLDEN / "ticket.note_added.v1.json").read_bytes())
    event = decode("ticket.note_added.v1", json.dumps({**raw, "from_the_future": 1}).encode())
    now = json.loads(encode(event))
    assert lost(raw, now) == []
    assert "from_the_future" not in now


def test_unknown_types_are_passed_over_and_broken_bytes_are_not():
    assert decode("ticket.teleported.v9", b"{}") == UnknownEvent("ticket.teleported.v9", b"{}")
    with pytest.raises(Unreadable, match=r"ticket\.opened\.v1"):
        decode("ticket.opened.v1", b'{"type":"ticket.opened.v1"')
