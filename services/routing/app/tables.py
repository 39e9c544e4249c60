"""Rows to domain and back, a few statements for any number of rows."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Any, Final, LiteralString
from uuid import UUID

import msgspec
from psycopg.sql import SQL, Composed, Identifier

from services.routing.domain.agent import Agent, Group
from services.routing.domain.customers import LastAgent
from services.routing.domain.desk import Desk
from services.routing.domain.hours import Calendars, CalendarVersion
from services.routing.domain.roster import Lane, Roster
from services.routing.domain.rules import RuleBook
from services.routing.domain.ticket import Ticket
from shared.database import Transaction
from shared.events.agents import RoutingRule, RoutingSettings, RuleMode
from shared.identifiers import new_id

# Rows travel as one JSON array each way: PostgreSQL and msgspec convert it in C, a tenth of what columns cost.
_TICKETS: Final = msgspec.json.Decoder(list[Ticket])
_AGENTS: Final = msgspec.json.Decoder(list[Agent])
_GROUPS: Final = msgspec.json.Decoder(list[Group])
_LANES: Final = msgspec.json.Decoder(list[Lane])
_LAST_AGENTS: Final = msgspec.json.Decoder(list[LastAgent])
_CALENDARS: Final = msgspec.json.Decoder(list[CalendarVersion])
_SETTINGS: Final = msgspec.json.Decoder(RoutingSettings)
_RULES: Final = msgspec.json.Decoder(tuple[RoutingRule, ...])
_ENCODE: Final = msgspec.json.Encoder().encode

TICKET_COLUMNS: Final = tuple(
    name for name in Ticket.__struct_fields__ if name not in {"facts", "trail"}
)
_WITHOUT_FACTS: Final = SQL(", ").join(Identifier("t", name) for name in TICKET_COLUMNS)
ORDER: Final = SQL(
    "t.overdue_since, t.is_raised DESC, t.rank DESC, t.due_at NULLS LAST, t.queued_at, t.ticket_id"
)
"""The order of the queue, as `queue_key` and the index `tickets_waiting`."""

_WITH_FACTS: Final = SQL("{}, t.facts").format(_WITHOUT_FACTS)


def lock_desk(tx: Transaction) -> UUID:
    """Wait until nobody else decides, until this transaction ends; returns the stamp of the last decision."""
    row = tx.cursor.execute("SELECT stamp FROM desk FOR UPDATE").fetchone()
    assert row is not None, "the migration made it"
    stamp: UUID = row["stamp"]
    return stamp


def load_roster(tx: Transaction) -> Roster:
    """Everybody and every rule, from the tables."""
    row = tx.cursor.execute(
        "SELECT turn, is_importing, rules_version, rules_mode, rules::text AS rules,"
        " settings_version, settings::text AS settings,"
        " (SELECT coalesce(json_agg(c), '[]')::text FROM calendars c) AS calendars,"
        " (SELECT coalesce(json_agg(a), '[]')::text FROM agents a) AS agents,"
        " (SELECT coalesce(json_agg(g), '[]')::text FROM groups g) AS groups,"
        " (SELECT coalesce(json_agg(l), '[]')::text FROM lanes l) AS lanes FROM desk"
    ).fetchone()
    assert row is not None
    calendars = Calendars(_CALENDARS.decode(row["calendars"]))
    return Roster(
        agents=_AGENTS.decode(row["agents"]),
        groups=_GROUPS.decode(row["groups"]),
        book=RuleBook(
            _RULES.decode(row["rules"]),
            row["rules_version"],
            RuleMode(row["rules_mode"]),
            calendars.open_at,
        ),
        calendars=calendars,
        lanes=_LANES.decode(row["lanes"]),
        turn=row["turn"],
        is_importing=row["is_importing"],
        settings=_SETTINGS.decode(row["settings"]),
        settings_version=row["settings_version"],
    )


def load_tickets(
    tx: Transaction,
    ids: Collection[UUID] = (),
    *,
    external_ids: Collection[str] = (),
    with_facts: bool = False,
) -> list[Ticket]:
    """The tickets of these ids, as far as they are known here."""
    found: list[Ticket] = []
    if ids:
        found += _select(tx, SQL("t.ticket_id = ANY(%s)"), (list(ids),), with_facts=with_facts)
    if external_ids:
        known = {ticket.ticket_id for ticket in found}
        wanted = (list(external_ids),)
        more = _select(tx, SQL("t.external_id = ANY(%s)"), wanted, with_facts=with_facts)
        found += [ticket for ticket in more if ticket.ticket_id not in known]
    return found


def heads(tx: Transaction, wanted: Mapping[int, int], *, at_most: int) -> list[Ticket]:
    """The first tickets of lanes in the order of the queue (R3): lane → how many; `at_most` of them all."""
    if not wanted:
        return []
    # The lanes' index scans are merged, so no more keys are read than are wanted of all together: with fifty long lanes
    # an eighth of the time of a join, which reads each lane's share. Only the chosen rows are read whole.
    head = SQL(
        "(SELECT t.ticket_id, t.overdue_since, t.is_raised, t.rank, t.due_at, t.queued_at FROM tickets t"
        " WHERE t.lane = %s ORDER BY {} LIMIT %s)"
    ).format(ORDER)
    return _decode(
        tx,
        SQL(
            "SELECT coalesce(json_agg(t), '[]')::text AS found FROM (SELECT {} FROM"
            " (SELECT * FROM ({}) t ORDER BY {} LIMIT %s) h JOIN tickets t USING (ticket_id) ORDER BY {}) t"
        ).format(_WITHOUT_FACTS, SQL(" UNION ALL ").join([head] * len(wanted)), ORDER, ORDER),
        (*chain.from_iterable(wanted.items()), at_most),
    )


def last_agents(tx: Transaction, customers: Collection[str]) -> list[LastAgent]:
    """Which agents these customers had last, as far as that is remembered."""
    if not customers:
        return []
    row = tx.cursor.execute(
        "SELECT coalesce(json_agg(c), '[]')::text AS found FROM customers c WHERE requester_id = ANY(%s)",
        (list(customers),),
    ).fetchone()
    assert row is not None, "an aggregate always answers"
    return _LAST_AGENTS.decode(row["found"])


def forget_customers(tx: Transaction, *, seconds: int, at_most: int) -> int:
    """Forget the last agents of customers who had none for so long, the oldest first; returns how many."""
    return tx.cursor.execute(
        "DELETE FROM customers WHERE requester_id IN (SELECT requester_id FROM customers"
        " WHERE assigned_at < %s - make_interval(secs => %s) ORDER BY assigned_at LIMIT %s)",
        (tx.now, seconds, at_most),
    ).rowcount


def settled_imports(tx: Transaction, *, quiet_seconds: float, at_most: int) -> list[Ticket]:
    """Held tickets, once nothing was heard of any of them for a while.

    Of any: an import is in the order of time, so the last word about a quiet ticket may still be far behind in Kafka.
    """
    latest = tx.cursor.execute(
        "SELECT max(touched_at) < now() - make_interval(secs => %s) AS is_quiet FROM tickets WHERE is_held",
        (quiet_seconds,),
    ).fetchone()
    if latest is None or not latest["is_quiet"]:
        return []
    return _select(tx, SQL("t.is_held ORDER BY t.touched_at LIMIT %s"), (at_most,), with_facts=True)


def orphans(tx: Transaction, agents: Sequence[str], *, at_most: int) -> list[Ticket]:
    """Open tickets in the hands of these agents."""
    if not agents:
        return []
    return _select(
        tx,
        SQL(
            "t.agent_id = ANY(%s) AND t.category IN ('new', 'open', 'answered') AND NOT t.is_held LIMIT %s"
        ),
        (list(agents), at_most),
    )


def due(tx: Transaction, *, at_most: int) -> list[Ticket]:
    """Tickets to which time does something now, the earliest first."""
    return _select(
        tx, SQL("t.timer_at <= %s ORDER BY t.timer_at LIMIT %s"), (tx.now, at_most), with_facts=True
    )


def next_timer_at(tx: Transaction) -> datetime | None:
    """When time will next do something to any ticket, of those to which it does nothing now."""
    row = tx.cursor.execute(
        "SELECT min(timer_at) AS first FROM tickets WHERE timer_at > %s", (tx.now,)
    ).fetchone()
    moment: datetime | None = row["first"] if row is not None else None
    return moment


def left_behind(
    tx: Transaction, agent_id: str, groups: Sequence[str], *, at_most: int
) -> list[Ticket]:
    """Unanswered tickets of these groups in the agent's hands that nobody gave there by hand (R9)."""
    if not groups:
        return []
    return _select(
        tx,
        SQL(
            "t.agent_id = %s AND t.group_id = ANY(%s) AND t.category IN ('new', 'open')"
            " AND NOT t.is_held AND NOT t.is_by_hand LIMIT %s"
        ),
        (agent_id, list(groups), at_most),
    )


def offered_to(tx: Transaction, agents: Sequence[str], *, at_most: int) -> list[Ticket]:
    """Tickets that are offered to these agents."""
    if not agents:
        return []
    return _select(tx, SQL("t.offered_to = ANY(%s) LIMIT %s"), (list(agents), at_most))


def waiting_in(tx: Transaction, lanes: Sequence[int], *, at_most: int) -> list[Ticket]:
    """Tickets that wait in these lanes."""
    return _select(tx, SQL("t.lane = ANY(%s) LIMIT %s"), (list(lanes), at_most))


def misinformed(tx: Transaction, reasons: Mapping[int, str], *, at_most: int) -> list[Ticket]:
    """Queued tickets whose last told reasons are not those of their lane now: lane → reason codes."""
    if not reasons:
        return []
    return _decode(
        tx,
        SQL(
            "SELECT coalesce(json_agg(t), '[]')::text AS found"
            " FROM (SELECT {} FROM unnest(%s::int[], %s::text[]) AS told (lane, codes)"
            " JOIN tickets t ON t.lane = told.lane AND t.refusals <> told.codes LIMIT %s) t"
        ).format(_WITHOUT_FACTS),
        (list(reasons), list(reasons.values()), at_most),
    )


def keep_calendar(tx: Transaction, version: CalendarVersion) -> None:
    """Keep a calendar's version; the same again changes nothing."""
    tx.cursor.execute(
        "INSERT INTO calendars VALUES (%s, %s, %s::jsonb) ON CONFLICT DO NOTHING",
        (version.calendar_id, version.version, _ENCODE(version.definition).decode()),
    )


def save(tx: Transaction, desk: Desk) -> UUID | None:
    """Write what changed; returns the new stamp, or None when nothing did."""
    wrote = [
        _upsert(tx, "tickets", list(desk.changed_tickets.values())),
        _upsert(tx, "agents", list(desk.changed_agents.values())),
        _upsert(tx, "groups", [desk.roster.groups[one] for one in desk.changed_groups]),
        _upsert(tx, "lanes", list(desk.changed_lanes.values())),
        _upsert(tx, "customers", list(desk.customers.changed.values())),
    ]
    if desk.forgotten_lanes:
        tx.cursor.execute("DELETE FROM lanes WHERE lane = ANY(%s)", (list(desk.forgotten_lanes),))
    is_desk_changed = desk.is_book_changed or desk.is_import_changed or desk.is_settings_changed
    if not (any(wrote) or desk.forgotten_lanes or is_desk_changed):
        return None
    stamp = new_id()
    roster = desk.roster
    tx.cursor.execute(
        "UPDATE desk SET stamp = %s, turn = %s, is_importing = %s",
        (stamp, roster.turn, roster.is_importing),
    )
    if desk.is_book_changed:
        tx.cursor.execute(
            "UPDATE desk SET rules_version = %s, rules_mode = %s, rules = %s::jsonb",
            (roster.book.version, roster.book.mode.value, _ENCODE(roster.book.rules).decode()),
        )
    if desk.is_settings_changed:
        tx.cursor.execute(
            "UPDATE desk SET settings_version = %s, settings = %s::jsonb",
            (roster.settings_version, _ENCODE(roster.settings).decode()),
        )
    return stamp


_CHANGES: Final[dict[str, LiteralString]] = {
    # Facts are loaded only when they are needed; None leaves what is there.
    "facts": "{0} = coalesce(excluded.{0}, {1}.{0})",
    # The trail is never loaded: what is new is added, up to `trail.ENTRIES_MAX`.
    "trail": "{0} = CASE WHEN excluded.{0} = '[]' OR jsonb_array_length({1}.{0}) >= 200"
    " THEN {1}.{0} ELSE {1}.{0} || excluded.{0} END",
}


def _statement(table: str, columns: Sequence[str], key: str) -> Composed:
    names = SQL(", ").join(map(Identifier, columns))
    changes = SQL(", ").join(
        SQL(
            _CHANGES.get(name, "{0} = excluded.{0}") if table == "tickets" else "{0} = excluded.{0}"
        ).format(Identifier(name), Identifier(table))
        for name in columns
        if name != key
    )
    return SQL(
        "INSERT INTO {table} ({names}) SELECT {names} FROM json_populate_recordset(NULL::{table}, %s::json)"
        " ON CONFLICT ({key}) DO UPDATE SET {changes}"
    ).format(table=Identifier(table), names=names, key=Identifier(key), changes=changes)


_UPSERTS: Final = {
    "tickets": _statement("tickets", Ticket.__struct_fields__, "ticket_id"),
    "agents": _statement("agents", Agent.__struct_fields__, "agent_id"),
    "groups": _statement("groups", Group.__struct_fields__, "group_id"),
    "lanes": _statement("lanes", Lane.__struct_fields__, "lane"),
    "customers": _statement("customers", LastAgent.__struct_fields__, "requester_id"),
}


def _upsert(tx: Transaction, table: str, rows: Sequence[Any]) -> bool:
    if not rows:
        return False
    tx.cursor.execute(_UPSERTS[table], (_ENCODE(rows).decode(),))
    return True


def _select(
    tx: Transaction, condition: SQL, values: tuple[Any, ...], *, with_facts: bool = False
) -> list[Ticket]:
    statement = SQL(
        "SELECT coalesce(json_agg(t), '[]')::text AS found FROM (SELECT {} FROM tickets t WHERE {}) t"
    ).format(_WITH_FACTS if with_facts else _WITHOUT_FACTS, condition)
    return _decode(tx, statement, values)


def _decode(tx: Transaction, statement: Composed, values: tuple[Any, ...]) -> list[Ticket]:
    row = tx.cursor.execute(statement, values).fetchone()
    assert row is not None, "an aggregate always answers"
    return _TICKETS.decode(row["found"])
