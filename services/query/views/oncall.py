"""Who is on call now, next and in the coming week, and the pages that are not over."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, LiteralString
from uuid import UUID

from services.query.views.pools import Pool
from shared.oncall import OnCall, Override, RotaHistory, RotaVersion, Span, parse_rota

WEEK: Final = timedelta(days=7)
PAGES_MAX: Final = 200
"""More open pages than this are an incident, and the list of tickets is the place to work on it."""

_ROTAS: Final[LiteralString] = (
    "SELECT rota_id, version, definition, recorded_at FROM oncall_rotas ORDER BY rota_id, version"
)
# Overrides that are over change no answer about now and later, but `since` of who is on call now.
_OVERRIDES: Final[LiteralString] = """
SELECT override_id, rota_id, agent_id, instead_of, starts_at, ends_at, reason FROM oncall_overrides
WHERE ends_at > %(since)s AND starts_at < ends_at ORDER BY rota_id, version
"""
_PAGES: Final[LiteralString] = """
SELECT p.*, t.number, t.subject, t.priority, t.category AS status, t.group_id, t.assignee_id, t.due_at
FROM oncall_pages AS p LEFT JOIN tickets AS t ON t.ticket_id = p.ticket_id
WHERE p.state <> 'ended'
ORDER BY p.state = 'acknowledged', p.opened_at, p.key LIMIT %(limit)s
"""
_OF_TICKET: Final[LiteralString] = (
    "SELECT * FROM oncall_pages WHERE ticket_id = %s ORDER BY opened_at, key"
)


@dataclass(frozen=True)
class RotaNow:
    """One rota as of a moment. `turns`: the coming week, from now on."""

    rota_id: str
    name: str
    timezone: str
    now: OnCall
    turns: list[Span]


async def rotas_now(pool: Pool, now: datetime) -> list[RotaNow]:
    """Every rota, by id."""
    async with pool.connection() as connection:
        versions = await (await connection.execute(_ROTAS)).fetchall()
        values = {"since": now - WEEK * 20}
        overrides = await (await connection.execute(_OVERRIDES, values)).fetchall()
    by_rota: dict[str, list[dict[str, Any]]] = {}
    for row in versions:
        by_rota.setdefault(row["rota_id"], []).append(row)
    return [
        _rota(rota_id, rows, [one for one in overrides if one["rota_id"] == rota_id], now)
        for rota_id, rows in by_rota.items()
    ]


async def open_pages(pool: Pool) -> list[dict[str, Any]]:
    """Pages that are not over: the unanswered ones and those still climbing before the acknowledged."""
    async with pool.connection() as connection:
        return await (await connection.execute(_PAGES, {"limit": PAGES_MAX})).fetchall()


async def pages_of(pool: Pool, ticket_id: UUID) -> list[dict[str, Any]]:
    """Every page of one ticket."""
    async with pool.connection() as connection:
        return await (await connection.execute(_OF_TICKET, (ticket_id,))).fetchall()


def _rota(
    rota_id: str, rows: list[dict[str, Any]], overrides: list[dict[str, Any]], now: datetime
) -> RotaNow:
    history = RotaHistory(
        (
            RotaVersion(parse_rota(row["definition"]), row["recorded_at"] if place else None)
            for place, row in enumerate(rows)
        ),
        (
            Override(
                override_id=str(row["override_id"]),
                agent_id=row["agent_id"],
                starts_at=row["starts_at"],
                ends_at=row["ends_at"],
                instead_of=row["instead_of"],
                reason=row["reason"],
            )
            for row in overrides
        ),
    )
    return RotaNow(
        rota_id=rota_id,
        name=history.current.name,
        timezone=history.current.timezone,
        now=history.on_call(now),
        turns=history.spans(now, now + WEEK),
    )
