"""Signed roots over HTTP: with one kept outside, even the holder of the key cannot rewrite the past unseen."""

from base64 import urlsafe_b64encode
from datetime import date
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from shared.audit.sealer import Sealer
from shared.database import Database
from shared.security import Principal, Role, require

DAYS_MAX: Final = 400
"""A year in one answer, and some."""

_DAYS: Final = """
SELECT number, day, last, event_count, stream_count, seal_number, seal_hash, heads_root, previous, hash, key_id,
       signature, signed_at
FROM audit_days WHERE day >= %s ORDER BY number LIMIT %s
"""
_NEWEST: Final = """
SELECT number AS seal_number, last, hash, key_id, signature, sealed_at FROM audit_seals ORDER BY number DESC LIMIT 1
"""


class RootsQuery(BaseModel):
    """`since`: the first day wanted; at most `limit` days are answered."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    since: date = date(1970, 1, 1)
    limit: Annotated[int, Field(ge=1, le=DAYS_MAX)] = DAYS_MAX


def roots_router(store: Database, sealer: Sealer) -> APIRouter:
    """`/v1/audit/roots/<service>`: the signed days of this service's log, and how far it is sealed now."""
    router = APIRouter(tags=["audit"])

    @router.get(
        f"/v1/audit/roots/{sealer.service}",
        summary="Signed daily roots of this service's event log, and its newest seal.",
    )
    async def roots(
        _: Annotated[Principal, Depends(require(Role.AGENT))],
        query: Annotated[RootsQuery, Query()],
    ) -> dict[str, Any]:
        pool = await store.pool()
        async with pool.connection() as connection:
            days = await (await connection.execute(_DAYS, (query.since, query.limit))).fetchall()
            newest = await (await connection.execute(_NEWEST)).fetchone()
        return {
            "service": sealer.service,
            "public_key": sealer.key.public if sealer.key else None,
            "key_id": sealer.key.id if sealer.key else None,
            "newest_seal": told(newest) if newest else None,
            "days": [told(day) for day in days],
        }

    return router


def told(row: dict[str, Any]) -> dict[str, Any]:
    """A row as JSON: hashes in hexadecimal, signatures in base64url."""
    return {
        name: urlsafe_b64encode(value).rstrip(b"=").decode()
        if name == "signature" and value is not None
        else value.hex()
        if isinstance(value, bytes | memoryview)
        else value
        for name, value in row.items()
    }
