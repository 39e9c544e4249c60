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
        unsettled: SQL over the view: rows whose durations still change though their own row does not, because the clock
            goes on or because an event of another topic came later. A lake reads them again in every run; `{since}` is
            the position of the run before.
    """

    name: str
    source: LiteralString
    key: str
    unit: LiteralString
    source_unit: LiteralString
    chosen: LiteralString = "true"
    day: str | None = None
    unsettled: LiteralString = "false"


def _of_tickets(name: str, unsettled: LiteralString = "false") -> Entity:
    return Entity(
        name,
        "tickets",
        "ticket_id",
        _TICKET,
        _TICKET,
        chosen="version > 0",
        day="created_at",
        unsettled=unsettled,
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
        _of_tickets("ticket_enriched"),
        _of_tickets("ticket_metrics", unsettled="is_open"),
        _of_clocks("fct_sla_cycle", "sla_cycle_id", "started_at"),
        _of_clocks("sla_policies", "sla_event_id", "sla_applied_at"),
        Entity(
            "fct_assignment",
            "assignments",
            "assignment_id",
            "assignment_id",
            "ticket_id || ':' || version",
            day="assigned_at",
            unsettled="is_current OR ticket_id IN"
            " (SELECT ticket_id FROM bi.fct_ticket WHERE export_position >= {since})",
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
