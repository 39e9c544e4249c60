"""Events about rotas and pages → their tables. Few beside all others, so each is written as it comes."""

from collections.abc import Callable
from typing import Any, Final, LiteralString

import psycopg
from psycopg.rows import DictRow

from services.query.projections.tables import as_json, as_text
from shared.events import Event
from shared.events.policies import RotaDefined, RotaOverridden, RotaOverrideEnded
from shared.events.sla import (
    SlaPageAcknowledged,
    SlaPaged,
    SlaPageEnded,
    SlaPageUnanswered,
)

Cursor = psycopg.Cursor[DictRow]

_ROTA: Final[LiteralString] = """
INSERT INTO oncall_rotas (rota_id, version, definition, recorded_at)
VALUES (%(rota_id)s, %(version)s, %(definition)s, %(recorded_at)s) ON CONFLICT DO NOTHING
"""
_OVERRIDE: Final[LiteralString] = """
INSERT INTO oncall_overrides (override_id, rota_id, version, agent_id, instead_of, starts_at, ends_at, reason)
VALUES (%(override_id)s, %(rota_id)s, %(version)s, %(agent_id)s, %(instead_of)s, %(starts_at)s, %(ends_at)s,
        %(reason)s) ON CONFLICT DO NOTHING
"""
_OVERRIDE_ENDED: Final[LiteralString] = """
UPDATE oncall_overrides SET ends_at = %(ends_at)s WHERE override_id = %(override_id)s
"""
_PAGED: Final[LiteralString] = """
INSERT INTO oncall_pages AS p (ticket_id, metric, cycle, key, state, step, level, levels_count, round, agent_id,
                               rota_id, opened_at, paged_at, escalates_at)
VALUES (%(ticket_id)s, %(metric)s, %(cycle)s, %(key)s, 'paged', %(step)s, %(level)s, %(levels_count)s, %(round)s,
        %(agent_id)s, %(rota_id)s, %(at)s, %(at)s, %(escalates_at)s)
ON CONFLICT (ticket_id, metric, cycle) DO UPDATE
SET state = 'paged', step = EXCLUDED.step, level = EXCLUDED.level, levels_count = EXCLUDED.levels_count,
    round = EXCLUDED.round, agent_id = EXCLUDED.agent_id, rota_id = EXCLUDED.rota_id, paged_at = EXCLUDED.paged_at,
    escalates_at = EXCLUDED.escalates_at, acknowledged_at = NULL, acknowledged_by = NULL, acknowledged_name = NULL,
    acknowledged_how = NULL, ended_at = NULL, end_reason = NULL,
    opened_at = CASE WHEN p.state = 'ended' THEN EXCLUDED.opened_at ELSE p.opened_at END
"""
_ACKNOWLEDGED: Final[LiteralString] = """
UPDATE oncall_pages SET state = 'acknowledged', escalates_at = NULL, acknowledged_at = %(at)s, acknowledged_by = %(by)s,
    acknowledged_name = %(name)s, acknowledged_how = %(how)s
WHERE ticket_id = %(ticket_id)s AND metric = %(metric)s AND cycle = %(cycle)s
"""
_UNANSWERED: Final[LiteralString] = """
UPDATE oncall_pages SET state = 'unanswered', escalates_at = NULL
WHERE ticket_id = %(ticket_id)s AND metric = %(metric)s AND cycle = %(cycle)s
"""
_ENDED: Final[LiteralString] = """
UPDATE oncall_pages SET state = 'ended', escalates_at = NULL, ended_at = %(at)s, end_reason = %(reason)s
WHERE ticket_id = %(ticket_id)s AND metric = %(metric)s AND cycle = %(cycle)s
"""


def write_oncall(cursor: Cursor, event: Event) -> None:
    """Write what this event says about rotas and pages; other kinds are passed over."""
    found = _STATEMENTS.get(type(event))
    if found is not None:
        statement, values = found
        cursor.execute(statement, values(event))


def _rota(event: RotaDefined) -> dict[str, Any]:
    return {
        "rota_id": event.rota_id,
        "version": event.version,
        "definition": as_json(event.definition),
        "recorded_at": event.recorded_at,
    }


def _override(event: RotaOverridden) -> dict[str, Any]:
    return {
        "override_id": event.override_id,
        "rota_id": event.rota_id,
        "version": event.version,
        "agent_id": event.agent_id,
        "instead_of": event.instead_of,
        "starts_at": event.starts_at,
        "ends_at": event.ends_at,
        "reason": as_text(event.reason) if event.reason is not None else None,
    }


def _override_ended(event: RotaOverrideEnded) -> dict[str, Any]:
    return {"override_id": event.override_id, "ends_at": event.ends_at}


def _page(event: Any) -> dict[str, Any]:
    return {
        "ticket_id": event.ticket_id,
        "metric": event.metric,
        "cycle": event.cycle,
        "key": event.key,
        "step": event.step,
        "at": event.occurred_at,
    }


def _paged(event: SlaPaged) -> dict[str, Any]:
    return _page(event) | {
        "level": event.level,
        "levels_count": event.levels_count,
        "round": event.round,
        "agent_id": event.agent_id,
        "rota_id": event.rota_id,
        "escalates_at": event.escalates_at,
    }


def _acknowledged(event: SlaPageAcknowledged) -> dict[str, Any]:
    name = event.actor.name
    return _page(event) | {
        "by": as_text(event.actor.id),
        "name": as_text(name) if name is not None else None,
        "how": event.how,
    }


def _ended(event: SlaPageEnded) -> dict[str, Any]:
    return _page(event) | {"reason": event.reason}


_STATEMENTS: Final[dict[type[Event], tuple[LiteralString, Callable[[Any], dict[str, Any]]]]] = {
    RotaDefined: (_ROTA, _rota),
    RotaOverridden: (_OVERRIDE, _override),
    RotaOverrideEnded: (_OVERRIDE_ENDED, _override_ended),
    SlaPaged: (_PAGED, _paged),
    SlaPageAcknowledged: (_ACKNOWLEDGED, _acknowledged),
    SlaPageUnanswered: (_UNANSWERED, _page),
    SlaPageEnded: (_ENDED, _ended),
}
