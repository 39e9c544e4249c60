"""The writing side of the outbox: alerts and what is to be said of them, in the caller's transaction.

Everything has a derived id, so a transaction that is repeated, or a history that is judged again,
says nothing twice.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
from psycopg.types.json import Jsonb

from services.sla.alerts import registry
from services.sla.alerts.notice import Action, Alert
from services.sla.alerts.registry import Route
from services.sla.alerts.sink import Sink
from shared.database import Transaction
from shared.errors import Invalid, NotFound
from shared.identifiers import derived_id

_STEPS: Final = {Action.TRIGGER: 1, Action.ACKNOWLEDGE: 2, Action.RESOLVE: 3}

_COLUMNS: Final = ", ".join(
    [*(field.name for field in msgspec.structs.fields(Alert)), "state", "opened_at"]
)
_INSERT_ALERTS: Final = (
    f"INSERT INTO alerts ({_COLUMNS})"  # noqa: S608  # our own field names
    f" SELECT {_COLUMNS} FROM jsonb_populate_recordset(NULL::alerts, %s)"
    " ON CONFLICT (alert_id) DO NOTHING RETURNING alert_id"
)
"""All of a transaction at once: in a storm they are hundreds."""


_ID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_KEY: Final = re.compile(r"sla:[0-9a-f-]{36}:[a-z_]+:[0-9]+(:[0-9%s-]+)?")


class Ending(msgspec.Struct, frozen=True):
    """Alerts of a ticket are over: of one metric's cycle, or (both null) all of them."""

    ticket_id: UUID
    metric: str | None
    cycle: int | None
    resolution: str
    at: datetime

    def ends(self, alert: Alert) -> bool:
        """Whether this alert is meant."""
        return alert.ticket_id == self.ticket_id and (
            self.metric is None or (alert.metric == self.metric and alert.cycle == self.cycle)
        )


class AlertBatch:
    """What one transaction has to say about alerts, gathered and written at its end.

    An alert that began and ended in the same transaction is logged and not sent: there is nothing
    left for anybody to do.
    """

    def __init__(self) -> None:
        self._opened: dict[UUID, list[Alert]] = {}
        self._endings: list[Ending] = []

    def open(self, alert: Alert) -> None:
        """This promise broke."""
        self._opened.setdefault(alert.ticket_id, []).append(alert)

    def end(self, ending: Ending) -> None:
        """The cause is gone: met, cancelled, retracted, solved."""
        opened = self._opened.get(ending.ticket_id, [])
        for place, alert in enumerate(opened):
            if alert.resolved_at is None and ending.ends(alert):
                opened[place] = msgspec.structs.replace(
                    alert, resolved_at=ending.at, resolution=ending.resolution
                )
        self._endings.append(ending)

    def write(self, tx: Transaction, sinks: Sequence[Sink], *, now: datetime) -> bool:
        """Write all of it; returns whether there is something to send."""
        opened = [alert for alerts in self._opened.values() for alert in alerts]
        # Endings are of what was there before; of those opened here, `end` has marked the ones it meant.
        ended = _end(tx, self._endings)
        lasting = _insert(tx, opened, now=now)
        if not lasting and not ended:
            return False
        routes = registry.routes(tx, sinks)
        begun = _begin(tx, lasting, routes, now=now)
        followed = _follow(tx, ended, Action.RESOLVE, routes, now=now)
        return begun or followed


def acknowledge(
    tx: Transaction, alert_id: UUID, *, by: str, now: datetime, sinks: Sequence[Sink]
) -> Mapping[str, object]:
    """Somebody looks after it; the same again, or after the end, changes nothing.

    Returns:
        The alert's row as it is now.

    Raises:
        NotFound: there is no such alert.
    """
    tx.cursor.execute("SELECT * FROM alerts WHERE alert_id = %s FOR UPDATE", (alert_id,))
    row = tx.cursor.fetchone()
    if row is None:
        raise NotFound(f"There is no alert {alert_id}.", field="alert_id")
    if row["state"] != "firing":
        return row
    tx.cursor.execute(
        "UPDATE alerts SET state = 'acknowledged', acknowledged_at = %s, acknowledged_by = %s"
        " WHERE alert_id = %s RETURNING *",
        (now, by, alert_id),
    )
    changed = tx.cursor.fetchone()
    assert changed is not None
    _follow(tx, [alert_id], Action.ACKNOWLEDGE, registry.routes(tx, sinks), now=now)
    return changed


def acknowledge_all(
    tx: Transaction,
    ticket_id: UUID,
    metric: str,
    cycle: int,
    *,
    by: str,
    now: datetime,
    sinks: Sequence[Sink],
) -> None:
    """Acknowledge every alert of one clock that still burns; the caller holds the ticket's row."""
    tx.cursor.execute(
        "SELECT alert_id FROM alerts WHERE ticket_id = %s AND metric = %s AND cycle = %s"
        " AND state = 'firing' ORDER BY opened_at, alert_id",
        (ticket_id, metric, cycle),
    )
    for row in tx.cursor.fetchall():
        acknowledge(tx, row["alert_id"], by=by, now=now, sinks=sinks)


class Meant(msgspec.Struct, frozen=True):
    """Which alert a key means, and the clock it is about."""

    alert_id: UUID
    ticket_id: UUID
    metric: str
    cycle: int
    state: str


def find_meant(tx: Transaction, key: str) -> Meant:
    """The alert of this id, or the newest open one of this dedupe key.

    Raises:
        Invalid: it is neither.
        NotFound: there is no such alert.
    """
    if _KEY.fullmatch(key):
        condition = "dedupe_key = %s AND state <> 'resolved'"
    elif _ID.fullmatch(key):
        condition = "alert_id = %s::uuid"
    else:
        raise Invalid.of("key", "must be an alert's id, or its key sla:<ticket>:<metric>:<cycle>")
    tx.cursor.execute(
        "SELECT alert_id, ticket_id, metric, cycle, state FROM alerts"  # noqa: S608  # a constant
        f" WHERE {condition} ORDER BY opened_at DESC, state = 'firing' DESC, alert_id LIMIT 1",
        (key,),
    )
    row = tx.cursor.fetchone()
    if row is None:
        raise NotFound(f"There is no open alert {key}.", field="key")
    return msgspec.convert(row, Meant)


def _insert(tx: Transaction, alerts: Sequence[Alert], *, now: datetime) -> list[Alert]:
    """Insert, and return those that are new and still burning."""
    if not alerts:
        return []
    rows = [
        {
            **msgspec.structs.asdict(alert),
            "state": "firing" if alert.resolved_at is None else "resolved",
            "opened_at": now,
        }
        for alert in alerts
    ]
    tx.cursor.execute(_INSERT_ALERTS, (Jsonb(rows, dumps=msgspec.json.encode),))
    new = {row["alert_id"] for row in tx.cursor.fetchall()}
    return [alert for alert in alerts if alert.alert_id in new and alert.resolved_at is None]


def _end(tx: Transaction, endings: Sequence[Ending]) -> list[UUID]:
    if not endings:
        return []
    tx.cursor.execute(
        "WITH ended AS ("
        "  SELECT DISTINCT ON (a.alert_id) a.alert_id, e.at, e.resolution"
        "  FROM unnest(%s::uuid[], %s::text[], %s::int[], %s::text[], %s::timestamptz[])"
        "       WITH ORDINALITY AS e (ticket_id, metric, cycle, resolution, at, place)"
        "  JOIN alerts AS a ON a.ticket_id = e.ticket_id AND a.state <> 'resolved'"
        "       AND (e.metric IS NULL OR (a.metric = e.metric AND a.cycle = e.cycle))"
        "  ORDER BY a.alert_id, e.place)"
        " UPDATE alerts AS a SET state = 'resolved', resolved_at = ended.at,"
        "        resolution = ended.resolution"
        " FROM ended WHERE a.alert_id = ended.alert_id RETURNING a.alert_id",
        (
            [ending.ticket_id for ending in endings],
            [ending.metric for ending in endings],
            [ending.cycle for ending in endings],
            [ending.resolution for ending in endings],
            [ending.at for ending in endings],
        ),
    )
    ended = [row["alert_id"] for row in tx.cursor.fetchall()]
    if ended:
        # Not said again from now on; the resolve has its own.
        tx.cursor.execute(
            "UPDATE deliveries SET refresh_at = NULL"
            " WHERE alert_id = ANY(%s) AND refresh_at IS NOT NULL",
            (ended,),
        )
    return ended


def _begin(
    tx: Transaction, alerts: Sequence[Alert], routes: Sequence[Route], *, now: datetime
) -> bool:
    """The beginning goes to every sink that wants such an alert."""
    pairs = [
        (alert.alert_id, route.name)
        for alert in alerts
        for route in routes
        if route.wants(Action.TRIGGER, alert)
    ]
    return _write(tx, pairs, Action.TRIGGER, now=now)


def _follow(
    tx: Transaction,
    alert_ids: Sequence[UUID],
    action: Action,
    routes: Sequence[Route],
    *,
    now: datetime,
) -> bool:
    """What follows goes to whom the beginning was addressed, whatever the routing says by now."""
    following = [route.name for route in routes if route.follows(action)]
    if not alert_ids or not following:
        return False
    tx.cursor.execute(
        "SELECT DISTINCT alert_id, sink FROM deliveries"
        " WHERE alert_id = ANY(%s) AND sink = ANY(%s) AND action = 'trigger'",
        (list(alert_ids), following),
    )
    pairs = [(row["alert_id"], row["sink"]) for row in tx.cursor.fetchall()]
    return _write(tx, pairs, action, now=now)


def _write(
    tx: Transaction, pairs: Sequence[tuple[UUID, str]], action: Action, *, now: datetime
) -> bool:
    """One delivery per alert and sink name; returns whether there is any."""
    if not pairs:
        return False
    step = _STEPS[action]
    tx.cursor.execute(
        "INSERT INTO deliveries"
        " (delivery_id, alert_id, sink, action, step, next_attempt_at, created_at)"
        " SELECT id, alert_id, sink, %s, %s, %s, %s"
        " FROM unnest(%s::uuid[], %s::uuid[], %s::text[]) AS d (id, alert_id, sink)"
        " ON CONFLICT (delivery_id) DO NOTHING",
        (
            action,
            step,
            now,
            now,
            [derived_id("delivery", alert_id, sink, step) for alert_id, sink in pairs],
            [alert_id for alert_id, _ in pairs],
            [sink for _, sink in pairs],
        ),
    )
    return True
