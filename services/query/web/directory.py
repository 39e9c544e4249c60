"""What every page knows of the house: names of groups and agents, and how tickets' fields and types are defined."""

import time
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, LiteralString

from services.query.views.definitions import Definitions, definitions_now
from services.query.views.pools import Pool
from services.query.web.words import CHANNEL, NOTHING

KNOWN_SECONDS_MAX: Final = 10.0
"""A new name shows after this long at most; the board asks once a second."""

CHOICES_MAX: Final = 1_000
"""A longer list is no choice any more: pages then take an id by hand."""

_GROUPS: Final[LiteralString] = (
    "SELECT group_id AS id, coalesce(name, group_id) AS name, strategy FROM groups WHERE is_active"
    " ORDER BY name, id LIMIT %s"
)
_AGENTS: Final[LiteralString] = (
    "SELECT agent_id AS id, coalesce(name, agent_id) AS name, groups FROM agents WHERE is_active"
    " ORDER BY name, id LIMIT %s"
)


@dataclass(frozen=True)
class Names:
    """What is known at one moment; an id that nobody named is its own name."""

    groups: list[dict[str, Any]] = field(default_factory=list)
    agents: list[dict[str, Any]] = field(default_factory=list)

    @cached_property
    def _group_names(self) -> dict[str, str]:
        return {row["id"]: row["name"] for row in self.groups}

    @cached_property
    def _agent_names(self) -> dict[str, str]:
        return {row["id"]: row["name"] for row in self.agents}

    def group(self, group_id: str | None) -> str:
        """The group's name."""
        return "No group" if group_id is None else self._group_names.get(group_id, group_id)

    def agent(self, agent_id: str | None) -> str:
        """The agent's name."""
        return NOTHING if agent_id is None else self._agent_names.get(agent_id, agent_id)

    def row(self, by: str, value: Any) -> str:
        """What a row of a report is called, divided `by`."""
        if by == "group":
            return self.group(value)
        if value is None:
            return "none"
        match by:
            case "agent":
                return self.agent(value)
            case "channel":
                return CHANNEL.get(value, str(value))
            case "hour":
                return str(value)[11:16]
            case _:
                return str(value).partition(": ")[2] or str(value)


class Directory:
    """Remembers both for `KNOWN_SECONDS_MAX`."""

    def __init__(self) -> None:
        self._names = Names()
        self._read_at: float | None = None
        self._definitions = Definitions()
        self._defined_at: float | None = None

    async def names(self, pool: Pool) -> Names:
        """Names of active groups and agents."""
        if _is_old(self._read_at):
            async with pool.connection() as connection:
                groups = await (await connection.execute(_GROUPS, (CHOICES_MAX,))).fetchall()
                agents = await (await connection.execute(_AGENTS, (CHOICES_MAX,))).fetchall()
            self._names, self._read_at = Names(groups, agents), time.monotonic()
        return self._names

    async def definitions(self, pool: Pool) -> Definitions:
        """Custom fields, ticket types and forms."""
        if _is_old(self._defined_at):
            self._definitions, self._defined_at = await definitions_now(pool), time.monotonic()
        return self._definitions


def _is_old(read_at: float | None) -> bool:
    return read_at is None or time.monotonic() - read_at > KNOWN_SECONDS_MAX
