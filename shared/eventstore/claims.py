"""Claims: the same request, or the same message from outside, has one effect and one answer, for good."""

import hashlib
from collections.abc import Collection, Sequence
from uuid import UUID

import msgspec

from shared.database import Transaction
from shared.identifiers import derived_id


class Claim(msgspec.Struct, frozen=True):
    """Says: this was asked. `id` derives from who asked and their key; `body_hash` from what they asked."""

    id: UUID
    body_hash: bytes

    @classmethod
    def of(cls, scope: str, key: str, body: bytes) -> "Claim":
        """A claim on `key` within `scope` (a caller and route, or a channel) for the request `body`."""
        return cls(derived_id("claim", scope, key), hashlib.blake2b(body, digest_size=16).digest())


class Claimed(msgspec.Struct, frozen=True):
    """An earlier claim and the JSON of its answer."""

    body_hash: bytes
    result: bytes


def find_claims(tx: Transaction, ids: Collection[UUID]) -> dict[UUID, Claimed]:
    """Which of these were claimed before."""
    if not ids:
        return {}
    tx.cursor.execute(
        "SELECT claim_id, body_hash, result FROM claims WHERE claim_id = ANY(%s)", (list(ids),)
    )
    return {
        row["claim_id"]: Claimed(bytes(row["body_hash"]), bytes(row["result"]))
        for row in tx.cursor.fetchall()
    }


def store_claims(tx: Transaction, claims: Sequence[tuple[Claim, bytes]]) -> None:
    """Remember these with their answers.

    Raises:
        psycopg.errors.UniqueViolation: another process claimed one of them meanwhile.
    """
    if claims:
        tx.cursor.execute(
            "INSERT INTO claims (claim_id, body_hash, result, recorded_at)"
            " SELECT *, %s::timestamptz FROM unnest(%s::uuid[], %s::bytea[], %s::bytea[])",
            (
                tx.now,
                [claim.id for claim, _ in claims],
                [claim.body_hash for claim, _ in claims],
                [result for _, result in claims],
            ),
        )
