"""Events about the organisation and its documents → their tables. Few and small, so each is one row."""

from typing import Any, Final

import msgspec
import psycopg
from psycopg.rows import DictRow

from services.query.projections.open_hours import write_open_hours
from services.query.projections.tables import Table
from shared.events import Event
from shared.events.agents import (
    AgentDefined,
    AgentPresenceChanged,
    GroupDefined,
    RoutingRulesDefined,
    RoutingSettingsDefined,
)
from shared.events.configuration import ConfigurationDefined
from shared.events.policies import CalendarDefined, SlaPolicyDefined

_PROFILES: Final = Table(
    "agents",
    (
        "agent_id",
        "version",
        "name",
        "email",
        "groups",
        "skills",
        "capacity",
        "is_active",
        "changed_at",
    ),
    key=("agent_id",),
)
_PRESENCE: Final = Table(
    "agents",
    ("agent_id", "version", "presence", "presence_since", "changed_at"),
    key=("agent_id",),
)
_GROUPS: Final = Table(
    "groups",
    ("group_id", "version", "name", "strategy", "is_active", "one_writer", "changed_at"),
    key=("group_id",),
)
_DEFINITIONS: Final = Table(
    "definitions",
    ("kind", "id", "version", "definition", "tzdata_version", "actor_id", "valid_from"),
    key=("kind", "id", "version"),
)

_CONFIGURATION: Final = Table(
    "configuration",
    ("kind", "name", "version", "definition", "changed_at"),
    key=("kind", "name"),
)

RULES_ID: Final = "default"
"""There is one rule set; it has this id in `definitions`."""

Rows = list[tuple[Table, tuple[Any, ...], dict[str, Any]]]


class Organisation:
    """Collects the newest row of each agent and group and all versions of the ruling documents."""

    def __init__(self) -> None:
        self._rows: dict[Table, dict[Any, dict[str, Any]]] = {}

    def fold(self, event: Event) -> None:
        """Apply one event; other kinds are passed over."""
        match event:
            case AgentDefined(agent_id=agent_id, profile=profile):
                row: dict[str, Any] = {
                    "agent_id": agent_id,
                    "name": profile.name,
                    "email": profile.email,
                    "groups": profile.groups,
                    "skills": profile.skills,
                    "capacity": profile.capacity,
                    "is_active": profile.is_active,
                }
                self._put(_PROFILES, agent_id, event, row)
            case ConfigurationDefined(kind=kind, name=name):
                row = {"kind": kind, "name": name, "definition": event.definition}
                self._put(_CONFIGURATION, (kind, name), event, row)
            case AgentPresenceChanged(agent_id=agent_id):
                row = {
                    "agent_id": agent_id,
                    "presence": event.presence,
                    "presence_since": event.occurred_at,
                }
                self._put(_PRESENCE, agent_id, event, row)
            case GroupDefined(group_id=group_id, profile=group):
                row = {
                    "group_id": group_id,
                    "name": group.name,
                    "strategy": group.strategy,
                    "is_active": group.is_active,
                    "one_writer": group.one_writer,
                }
                self._put(_GROUPS, group_id, event, row)
            case RoutingRulesDefined():
                self._define("routing_rules", RULES_ID, event, list(event.rules))
            case RoutingSettingsDefined():
                self._define(
                    "routing_settings", RULES_ID, event, msgspec.to_builtins(event.settings)
                )
            case SlaPolicyDefined():
                self._define("sla_policy", event.policy_id, event, event.definition)
            case CalendarDefined():
                tzdata = event.tzdata_version
                self._define("calendar", event.calendar_id, event, event.definition, tzdata=tzdata)
            case _:
                pass

    def flush(self, cursor: psycopg.Cursor[DictRow]) -> None:
        """Write what was collected, always in the same order of tables and keys."""
        for table in (_PROFILES, _PRESENCE, _GROUPS, _DEFINITIONS, _CONFIGURATION):
            rows = self._rows.get(table, {})
            table.upsert(cursor, [rows[key] for key in sorted(rows)])
        if any(kind == "calendar" for kind, *_ in self._rows.get(_DEFINITIONS, ())):
            write_open_hours(cursor)

    def _put(self, table: Table, key: Any, event: Event, row: dict[str, Any]) -> None:
        row |= {"version": event.version, "changed_at": event.occurred_at}
        self._rows.setdefault(table, {})[key] = row

    def _define(
        self, kind: str, id_: str, event: Event, definition: Any, *, tzdata: str | None = None
    ) -> None:
        self._rows.setdefault(_DEFINITIONS, {})[kind, id_, event.version] = {
            "kind": kind,
            "id": id_,
            "version": event.version,
            "definition": definition,
            "tzdata_version": tzdata,
            "actor_id": event.actor.id,
            "valid_from": event.occurred_at,
        }
