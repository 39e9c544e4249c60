"""Hashes of the audit: every part of what they cover changes them."""

from dataclasses import dataclass
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.audit import chain, merkle
from shared.audit.signing import AuditKey, PublicKeys

A, B = bytes(16), bytes([1]) * 16
LEAF = (7, A, 3, "ticket.opened.v1", bytes(32))


@pytest.mark.parametrize("part", [(0, 8), (1, B), (2, 4), (3, "ticket.closed.v1"), (4, b"x" * 32)])
def test_a_leaf_covers_the_whole_row(part):
    place, other = part
    changed = tuple(other if index == place else value for index, value in enumerate(LEAF))
    assert chain.leaf(*LEAF) != chain.leaf(*changed)


SEAL = chain.Seal(
    "intake", 2, date(2026, 3, 2), 5, 9, b"e" * 56, b"p" * 32, datetime(2026, 3, 2, tzinfo=UTC)
)
DAY = chain.DayRoot("intake", 1, date(2026, 3, 2), 9, 4, 2, 2, b"s" * 32, b"h" * 32, b"p" * 32)


@dataclass(frozen=True)
class Other:
    field: str
    value: object


@pytest.mark.parametrize(
    "other",
    [
        Other("service", "sla"),
        Other("number", 3),
        Other("day", date(2026, 3, 3)),
        Other("after", 4),
        Other("last", 10),
        Other("entries", b"f" * 56),
        Other("previous", b"q" * 32),
        Other("sealed_at", datetime(2026, 3, 2, 0, 0, 0, 1, tzinfo=UTC)),
    ],
    ids=lambda other: other.field,
)
def test_a_seal_covers_all_that_it_says(other):
    assert SEAL._replace(**{other.field: other.value}).hash() != SEAL.hash()


@pytest.mark.parametrize("field", chain.DayRoot._fields)
def test_a_day_covers_all_that_it_says(field):
    value = getattr(DAY, field)
    other = {int: lambda v: v + 1, str: lambda v: v + "x", bytes: lambda v: b"!" + v[1:]}.get(
        type(value), lambda v: v.replace(year=v.year + 1)
    )
    assert DAY._replace(**{field: other(value)}).hash() != DAY.hash()


def by_definition(leaves: list[bytes]) -> bytes:
    """RFC 6962 §2.1, word for word."""
    import hashlib

    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + by_definition(leaves[:k]) + by_definition(leaves[k:])).digest()


@given(st.lists(st.binary(max_size=4), max_size=70))
def test_the_tree_is_that_of_rfc_6962(leaves):
    assert merkle.root_of(leaves) == by_definition(leaves)


@given(st.lists(st.binary(max_size=4), min_size=1, max_size=70), st.data())
def test_a_path_by_chunks_leads_to_the_root_and_no_other_leaf_has_it(leaves, data):
    """As proofs are made: within a chunk, then over the roots of all chunks."""
    size = 4  # like 1,024, a power of two
    index = data.draw(st.integers(0, len(leaves) - 1))
    chunks = [leaves[at : at + size] for at in range(0, len(leaves), size)]
    within = [merkle.leaf_hash(leaf) for leaf in chunks[index // size]]
    roots = [merkle.root_of(chunk) for chunk in chunks]
    path = [*merkle.path(within, index % size), *merkle.path(roots, index // size)]
    root, count = merkle.root_of(leaves), len(leaves)
    leaf = merkle.leaf_hash(leaves[index])
    assert merkle.root_along(leaf, index, count, path) == root
    assert merkle.root_along(merkle.leaf_hash(b"another"), index, count, path) != root
    assert merkle.root_along(leaf, index, count, [*path, root]) is None
    assert merkle.root_along(leaf, count, count, path) is None
    for place in range(len(path)):
        assert merkle.root_along(leaf, index, count, path[:place]) != root
    for other in range(count):
        if leaves[other] != leaves[index]:
            assert merkle.root_along(merkle.leaf_hash(leaves[other]), index, count, path) != root


def test_a_signature_holds_for_its_digest_its_key_and_its_service():
    key = AuditKey("s" * 32, "intake")
    digest = b"d" * 32
    signature, day = key.sign(digest), date(2026, 3, 2)
    assert PublicKeys(key.public).have_signed(digest, signature, key.id, on=day)
    assert not PublicKeys(key.public).have_signed(b"e" * 32, signature, key.id, on=day)
    assert not PublicKeys(key.public).have_signed(digest, None, key.id, on=day)
    other = AuditKey("s" * 32, "sla")
    assert other.public != key.public
    assert not PublicKeys(other.public).have_signed(digest, signature, key.id, on=day)


def test_a_key_is_the_same_after_a_restart():
    assert AuditKey("s" * 32, "intake").public == AuditKey("s" * 32, "intake").public


@pytest.mark.parametrize("text", ["", "AAAA", "not base64 at all!"])
def test_what_is_no_key_is_refused(text):
    with pytest.raises(ValueError):
        PublicKeys(text)
