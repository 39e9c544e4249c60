"""Lists at an instant by what stands in no table of the past: words, tags, breaches; each ticket is told anew."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from services.query.facets import OWN
from services.query.past.backlog import PastFilter, scope_of, tickets_at
from services.query.past.ticket import states_at
from services.query.past.words import having
from services.query.projections.writes import Writes
from services.query.views.pools import Pool
from services.query.views.text_query import TextQuery, query_of
from shared.errors import Invalid
from shared.http import cursor

TOLD_MAX: Final = 2_000
"""So many tickets are told anew from their events in a second or two."""


@dataclass(frozen=True, slots=True)
class StateFilter:
    """What the state of the time must say; all of the tags. `q`: words, "phrases", -exclusions."""

    tag: tuple[str, ...] = ()
    breached: bool | None = None
    at_risk: bool | None = None
    q: str | None = None
    type: tuple[str, ...] = ()
    language: tuple[str, ...] = ()
    organization: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self != StateFilter()

    def fits(self, state: dict[str, Any]) -> bool:
        """Whether a ticket that was so is one of them."""
        return (
            set(self.tag) <= set(state["tags"])
            and self.breached in {None, state["is_breached"]}
            and self.at_risk in {None, state["is_at_risk"]}
            and all(
                not wanted or state[name] in wanted
                for name in OWN
                for wanted in [getattr(self, name)]
            )
        )


async def tickets_by_state_at(
    pool: Pool,
    wanted: PastFilter,
    state: StateFilter,
    instant: datetime,
    *,
    limit: int,
    after: str | None,
) -> dict[str, Any]:
    """As `tickets_at`, for tickets whose state of the time also fits.

    Tables first leave out those that never had such words, tags or breaches; the rest is folded by the code that keeps
    the present, so the answer is exact.

    Raises:
        Invalid: more than `TOLD_MAX` tickets may fit; or `after` is not a cursor of this very list.
    """
    name = f"{scope_of(wanted, instant)}:{msgspec.json.encode(state).decode()}"
    asked = await _asked(pool, state.q) if state.q else None
    ever = replace(
        wanted,
        # Words that a ticket once had stay in its document.
        ever_said=(asked.wanted or None) if asked else None,
        ever_tagged=state.tag,
        ever_breached=state.breached is True,
        ever_warned=state.at_risk is True,
    )
    may_fit = await tickets_at(pool, ever, instant, limit=TOLD_MAX)
    if may_fit["next"] is not None:
        raise Invalid.of(
            "as_of",
            f"words, tags, breaches and warnings of the past are told ticket by ticket; {may_fit['count']:,} may fit,"
            f" narrow the list to {TOLD_MAX:,} by status, group, assignee, priority, channel or requester",
        )
    written = Writes()
    states = await states_at(pool, may_fit["ids"], instant, writes=written)
    said = await having(pool, written, asked) if asked else states.keys()
    fitting = [
        row
        for ticket_id, row in may_fit["ids"].items()
        if ticket_id in states and ticket_id in said and state.fits(states[ticket_id])
    ]
    rest = fitting
    if after is not None:
        place = cursor.decode(after, tuple[datetime, UUID], scope=name)
        rest = [row for row in fitting if _key(row) < place]
    page, following = rest[:limit], None
    if len(rest) > limit:
        following = cursor.encode(_key(page[-1]), scope=name)
    return {
        "count": len(fitting),
        "ids": {row["ticket_id"]: row for row in page},
        "next": following,
    }


async def _asked(pool: Pool, words: str) -> TextQuery:
    async with pool.connection() as connection:
        return await query_of(connection, words)


def _key(row: dict[str, Any]) -> tuple[datetime, UUID]:
    return row["opened_at"], row["ticket_id"]
