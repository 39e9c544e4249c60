"""Which views of schema `bi` can be exported piece by piece, and which table knows when their rows changed."""

from typing import Final, LiteralString

import msgspec

_TICKET: Final = "ticket_id::text"


class Entity(msgspec.Struct, frozen=True):
    """A view of schema `bi` whose rows belong to the rows of one table.

    Attributes:
        name: of the view.
        source: the table that carries `change_tx`, in schema `query`.
        key: the view's column that names a row.
        unit: SQL over the view: the source row's key as text. A page ends between two of them.
        source_unit: the same over the source.
        chosen: SQL over the source: which of its rows are in the view.
        day: the view's column by which a lake is divided; it never changes for a row. None: not divided.
        touched: SQL of (position, ticket_id, unit): rows that moved because another table did whose columns they show.
            None: they show nothing else. The view's `export_position` is the newest of all.
        changed: SQL over the view: which rows moved since the position `{since}`, in the words that are quickest.
        unsettled: SQL over the view: rows whose durations change though nothing happens, because the clock goes on. A
            lake reads them again in every run.
    """

    name: str
    source: LiteralString
    key: str
    unit: LiteralString
    source_unit: LiteralString
    chosen: LiteralString = "true"
    day: str | None = None
    touched: LiteralString | None = None
    changed: LiteralString = "export_position >= {since}"
    unsettled: LiteralString = "false"


_TICKETS_TOUCHED: Final = (
    "SELECT export_position AS position, ticket_id, ticket_id::text AS unit FROM bi.export_touched"
)
_TICKETS_CHANGED: Final = (
    "ticket_id IN (SELECT ticket_id FROM bi.fct_ticket WHERE export_position >= {since}"
    " UNION ALL SELECT ticket_id FROM bi.export_touched WHERE export_position >= {since})"
)
_STINTS_TOUCHED: Final = (
    "SELECT t.change_tx AS position, ticket_id, ticket_id || ':' || a.version AS unit"
    " FROM tickets AS t JOIN assignments AS a USING (ticket_id) WHERE a.change_tx < t.change_tx"
)


def _of_tickets(name: str) -> Entity:
    return Entity(
        name,
        "tickets",
        "ticket_id",
        _TICKET,
        _TICKET,
        chosen="version > 0",
        day="created_at",
    )


def _with_names(name: str, unsettled: LiteralString = "false") -> Entity:
    return msgspec.structs.replace(
        _of_tickets(name), touched=_TICKETS_TOUCHED, changed=_TICKETS_CHANGED, unsettled=unsettled
    )


def _of_clocks(name: str, key: LiteralString, day: str) -> Entity:
    return Entity(
        name, "sla_cycles", key, key, "ticket_id || ':' || metric || ':' || cycle", day=day
    )


def _of_events(name: str, key: str) -> Entity:
    return Entity(
        name,
        "timeline",
        key,
        "ticket_id || ':' || topic || ':' || event_version",
        "ticket_id || ':' || topic || ':' || version",
        chosen="ticket_id IS NOT NULL",
        day="occurred_at",
    )


ENTITIES: Final[dict[str, Entity]] = {
    entity.name: entity
    for entity in (
        _of_tickets("fct_ticket"),
        _with_names("ticket_enriched"),
        _with_names("ticket_metrics", unsettled="is_open"),
        _of_clocks("fct_sla_cycle", "sla_cycle_id", "started_at"),
        _of_clocks("sla_policies", "sla_event_id", "sla_applied_at"),
        Entity(
            "fct_assignment",
            "assignments",
            "assignment_id",
            "assignment_id",
            "ticket_id || ':' || version",
            day="assigned_at",
            touched=_STINTS_TOUCHED,
            unsettled="is_current",
        ),
        Entity(
            "fct_message",
            "messages",
            "message_id",
            "message_id::text",
            "message_id::text",
            day="sent_at",
        ),
        Entity(
            "fct_satisfaction",
            "surveys",
            "survey_id",
            "survey_id::text",
            "survey_id::text",
            day="offered_at",
        ),
        _of_events("fct_ticket_event", "ticket_event_id"),
        _of_events("fct_field_change", "field_change_id"),
        Entity("dim_agent", "agents", "agent_id", "agent_id", "agent_id"),
        Entity("dim_group", "groups", "group_id", "group_id", "group_id"),
    )
}
"""In the order in which a lake writes them."""


class Column(msgspec.Struct, frozen=True):
    """A column of a view, with PostgreSQL's name of its type."""

    name: str
    type: str
