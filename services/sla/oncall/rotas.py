"""The verbs on rotas: define one, override a period, take an override back, ask who is on call."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from importlib import metadata
from typing import Any, Final
from uuid import UUID

import msgspec
from psycopg.types.json import Jsonb

from shared.errors import Conflict, Invalid, NotFound, Refused
from shared.events.policies import RotaDefined, RotaOverridden, RotaOverrideEnded
from shared.eventstore import EventTransaction
from shared.http.origin import Origin
from shared.identifiers import is_slug, new_id
from shared.oncall import (
    InvalidRota,
    Override,
    Rota,
    RotaHistory,
    RotaVersion,
    Survey,
    parse_rota,
    survey,
)

Tx = EventTransaction[Any]

RESERVED: Final = frozenset({"alerts", "contacts", "deliveries", "rotas", "sinks"})
"""Words that stand where a rota's id stands in an address."""

OVERRIDE_MAX: Final = timedelta(days=366)
OVERRIDES_MAX: Final = 500
"""Overrides of one rota that are not over yet; each answer applies all of them."""

_CLOCKS_DIFFER_MAX: Final = timedelta(minutes=5)


class OverrideIsOver(Refused):
    """The past stays as it was."""

    title = "Override is over"


class RotaView(msgspec.Struct, frozen=True, kw_only=True):
    """A rota as it is now. `survey`: gaps and overlaps of the coming year, with the first of each."""

    id: str
    version: int
    definition: dict[str, Any]
    overrides: list[Override]
    survey: Survey


class NewOverride(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`agent_id` is on call in `[starts_at, ends_at)`; with `instead_of` only where that one would be: a swap."""

    agent_id: str
    starts_at: datetime
    ends_at: datetime
    instead_of: str | None = None
    reason: str | None = None


def define_rota(
    tx: Tx,
    rota_id: str,
    document: Mapping[str, Any],
    *,
    origin: Origin,
    expected: int | None = None,
) -> RotaView:
    """Make or change a rota; the same again changes nothing, and nobody's past turns change.

    Raises:
        Invalid: naming every wrong field, or a rota that has nobody for a whole year.
        Conflict: it has another version than `expected`.
    """
    if not is_slug(rota_id) or rota_id in RESERVED or rota_id.endswith(".ics"):
        raise Invalid.of(
            "rota_id",
            "must be 1-64 of a-z, 0-9, dot, dash and underscore, beginning with a letter or digit;"
            f" not {', '.join(sorted(RESERVED))}, and without .ics at the end",
        )
    definition = dict(document)
    rota = _read(definition)
    found = survey(rota, tx.now)
    if not found.covered_seconds:
        raise Invalid.of(
            "layers", f"nobody is ever on call from now until {found.surveyed_until:%Y-%m-%d}"
        )
    tx.cursor.execute("INSERT INTO rotas (rota_id) VALUES (%s) ON CONFLICT DO NOTHING", (rota_id,))
    version = _lock(tx, rota_id)
    if expected is not None and expected != version:
        raise Conflict(
            f"The rota {rota_id} has version {version}, not {expected}.", field="header If-Match"
        )
    previous = _newest(tx, rota_id)
    if previous != definition:
        version += 1
        tx.append(
            RotaDefined(
                **origin.stamp(version, tx.now, tx.now),
                rota_id=rota_id,
                definition=definition,
                previous=previous,
                tzdata_version=metadata.version("tzdata"),
            )
        )
        tx.cursor.execute(
            "INSERT INTO rota_versions (rota_id, version, definition, recorded_at)"
            " VALUES (%s, %s, %s, %s)",
            (rota_id, version, Jsonb(definition), tx.now),
        )
        _set_version(tx, rota_id, version)
    return find_rota(tx, rota_id)


def override(tx: Tx, rota_id: str, wanted: NewOverride, *, origin: Origin) -> Override:
    """Somebody else is on call for a while. A start in the past counts as now: the past stays as it was.

    Raises:
        NotFound: there is no such rota.
        Invalid: naming the wrong field.
        Refused: the rota has too many overrides already.
    """
    version = _lock(tx, rota_id) + 1
    made = _checked(wanted, tx.now)
    tx.cursor.execute(
        "SELECT count(*) AS count FROM rota_overrides WHERE rota_id = %s AND ends_at > %s",
        (rota_id, tx.now),
    )
    row = tx.cursor.fetchone()
    assert row is not None, "an aggregate always has a row"
    if row["count"] >= OVERRIDES_MAX:
        raise Refused(f"The rota {rota_id} has {OVERRIDES_MAX} overrides that are not over yet.")
    tx.append(
        RotaOverridden(
            **origin.stamp(version, tx.now, tx.now),
            rota_id=rota_id,
            override_id=UUID(made.override_id),
            agent_id=made.agent_id,
            starts_at=made.starts_at,
            ends_at=made.ends_at,
            instead_of=made.instead_of,
            reason=made.reason,
        )
    )
    tx.cursor.execute(
        "INSERT INTO rota_overrides"
        " (override_id, rota_id, version, agent_id, instead_of, starts_at, ends_at, reason)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
        (
            made.override_id,
            rota_id,
            version,
            made.agent_id,
            made.instead_of,
            made.starts_at,
            made.ends_at,
            made.reason,
        ),
    )
    _set_version(tx, rota_id, version)
    return made


def end_override(tx: Tx, rota_id: str, override_id: UUID, *, origin: Origin) -> Override:
    """Take an override back, from now on; what was served of it stays.

    Raises:
        NotFound: there is no such rota or override.
        OverrideIsOver: it has ended already.
    """
    version = _lock(tx, rota_id) + 1
    tx.cursor.execute(
        "SELECT * FROM rota_overrides WHERE rota_id = %s AND override_id = %s",
        (rota_id, override_id),
    )
    row = tx.cursor.fetchone()
    if row is None:
        raise NotFound(f"The rota {rota_id} has no override {override_id}.", field="override_id")
    if row["ends_at"] <= tx.now or row["starts_at"] == row["ends_at"]:
        raise OverrideIsOver(f"The override {override_id} has ended already.")
    ends_at = max(tx.now, row["starts_at"])
    tx.append(
        RotaOverrideEnded(
            **origin.stamp(version, tx.now, tx.now),
            rota_id=rota_id,
            override_id=override_id,
            agent_id=row["agent_id"],
            starts_at=row["starts_at"],
            ends_at=ends_at,
        )
    )
    tx.cursor.execute(
        "UPDATE rota_overrides SET ends_at = %s WHERE override_id = %s", (ends_at, override_id)
    )
    _set_version(tx, rota_id, version)
    return _override({**row, "ends_at": ends_at})


def find_rota(tx: Tx, rota_id: str) -> RotaView:
    """A rota as it is now.

    Raises:
        NotFound: there is none.
    """
    tx.cursor.execute("SELECT version FROM rotas WHERE rota_id = %s", (rota_id,))
    row = tx.cursor.fetchone()
    definition = _newest(tx, rota_id)
    if row is None or definition is None:
        raise _no_rota(rota_id)
    return RotaView(
        id=rota_id,
        version=row["version"],
        definition=definition,
        overrides=[one for one in _overrides(tx, rota_id) if one.ends_at > tx.now],
        survey=survey(_read(definition), tx.now),
    )


def list_rotas(tx: Tx) -> list[RotaView]:
    """All rotas, by id."""
    tx.cursor.execute("SELECT rota_id FROM rotas WHERE version > 0 ORDER BY rota_id")
    return [find_rota(tx, row["rota_id"]) for row in tx.cursor.fetchall()]


def history_of(tx: Tx, rota_id: str) -> RotaHistory:
    """Every version and override of a rota, to ask about any instant.

    Raises:
        NotFound: there is none.
    """
    tx.cursor.execute(
        "SELECT version, definition, recorded_at FROM rota_versions WHERE rota_id = %s"
        " ORDER BY version",
        (rota_id,),
    )
    rows = tx.cursor.fetchall()
    if not rows:
        raise _no_rota(rota_id)
    return RotaHistory(
        (
            RotaVersion(_read(row["definition"]), row["recorded_at"] if place else None)
            for place, row in enumerate(rows)
        ),
        _overrides(tx, rota_id),
    )


def known_rotas(tx: Tx) -> set[str]:
    """The ids of all rotas."""
    tx.cursor.execute("SELECT rota_id FROM rotas WHERE version > 0")
    return {row["rota_id"] for row in tx.cursor.fetchall()}


def _read(definition: Mapping[str, Any]) -> Rota:
    try:
        return parse_rota(definition)
    except InvalidRota as error:
        raise Invalid(f"The rota cannot be accepted: {error}", errors=error.errors) from error


def _checked(wanted: NewOverride, now: datetime) -> Override:
    for field in ("starts_at", "ends_at"):
        if getattr(wanted, field).tzinfo is None:
            raise Invalid.of(field, "needs a time zone, 2026-01-31T09:00:00Z")
    for field in ("agent_id", "instead_of"):
        value = getattr(wanted, field)
        if value is not None and not is_slug(value):
            raise Invalid.of(field, "must be an agent's id")
    if wanted.instead_of == wanted.agent_id:
        raise Invalid.of("instead_of", "is the same person")
    starts_at = max(wanted.starts_at, now)
    if wanted.starts_at < now - _CLOCKS_DIFFER_MAX:
        raise Invalid.of("starts_at", "lies in the past, which stays as it was")
    if wanted.ends_at <= starts_at:
        raise Invalid.of("ends_at", "must lie after starts_at and after now")
    if wanted.ends_at - starts_at > OVERRIDE_MAX:
        raise Invalid.of("ends_at", f"must be {OVERRIDE_MAX.days} days after starts_at at most")
    return Override(
        override_id=str(new_id()),
        agent_id=wanted.agent_id,
        starts_at=starts_at,
        ends_at=wanted.ends_at,
        instead_of=wanted.instead_of,
        reason=wanted.reason[:200] if wanted.reason else None,
    )


def _lock(tx: Tx, rota_id: str) -> int:
    tx.cursor.execute("SELECT version FROM rotas WHERE rota_id = %s FOR UPDATE", (rota_id,))
    row = tx.cursor.fetchone()
    if row is None:
        raise _no_rota(rota_id)
    return int(row["version"])


def _set_version(tx: Tx, rota_id: str, version: int) -> None:
    tx.cursor.execute("UPDATE rotas SET version = %s WHERE rota_id = %s", (version, rota_id))


def _newest(tx: Tx, rota_id: str) -> dict[str, Any] | None:
    tx.cursor.execute(
        "SELECT definition FROM rota_versions WHERE rota_id = %s ORDER BY version DESC LIMIT 1",
        (rota_id,),
    )
    row = tx.cursor.fetchone()
    return row["definition"] if row else None


def _overrides(tx: Tx, rota_id: str) -> list[Override]:
    tx.cursor.execute(
        "SELECT * FROM rota_overrides WHERE rota_id = %s AND starts_at < ends_at ORDER BY version",
        (rota_id,),
    )
    return [_override(row) for row in tx.cursor.fetchall()]


def _override(row: Mapping[str, Any]) -> Override:
    return Override(
        override_id=str(row["override_id"]),
        agent_id=row["agent_id"],
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
        instead_of=row["instead_of"],
        reason=row["reason"],
    )


def _no_rota(rota_id: str) -> NotFound:
    return NotFound(f"There is no rota {rota_id}.", field="rota_id")
