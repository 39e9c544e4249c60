"""The verbs on promises: define a policy, put policies in order, define a calendar.

Every one takes the rulebook's row first: definitions happen one after the other, so that each is
checked against all the others, and other processes see by the revision that their book is old.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from psycopg.types.json import Jsonb

from services.sla.engine import Policy, impossible, remarks, unreachable
from services.sla.oncall.rotas import known_rotas
from services.sla.promises.documents import (
    as_sent,
    check_conditions,
    checked_id,
    read_calendar,
    read_policy,
    tzdata_version,
)
from shared.calendar import Calendar
from shared.errors import Conflict, FieldError, Invalid
from shared.events.policies import (
    CalendarDefined,
    SlaPolicyDefined,
)
from shared.eventstore import EventTransaction
from shared.http.origin import Origin

ORDER_STEP: Final = 10
"""A new policy comes this far behind the last one, so that others fit in between."""


class Defined(msgspec.Struct, frozen=True, kw_only=True):
    """A policy or calendar as it is now; `warnings` are remarks that refuse nothing."""

    id: str
    version: int
    definition: dict[str, Any]
    warnings: tuple[str, ...] = ()


def define_policy(
    tx: EventTransaction[Any],
    policy_id: str,
    document: Mapping[str, Any],
    *,
    origin: Origin,
    expected: int | None = None,
) -> Defined:
    """Make or change a policy; the same again changes nothing.

    Raises:
        Invalid: naming every wrong field.
        Conflict: the policy has another version than `expected`.
    """
    checked_id(policy_id, field="policy_id")
    _lock(tx)
    current = current_policies(tx)
    version, previous = current.get(policy_id, (0, None))
    _check_expected("policy", policy_id, version, expected)
    definition = as_sent(document)
    definition.setdefault(
        "order", previous["order"] if previous else _last_order(current) + ORDER_STEP
    )
    policy = read_policy(policy_id, version + 1, definition)
    known = current_calendars(tx)
    check_conditions(policy, known)
    unknown = [
        FieldError(f"targets[{place}].calendar_id", f"there is no calendar {target.calendar_id}")
        for place, target in enumerate(policy.targets)
        if target.calendar_id is not None and target.calendar_id not in known
    ]
    rotas = known_rotas(tx) if policy.escalation else set()
    unknown += [
        FieldError(f"escalation[{place}].steps", f"there is no on-call rota {rota}")
        for place, ladder in enumerate(policy.escalation)
        for rota in sorted(ladder.rotas - rotas)
    ]
    if unknown:
        raise Invalid("The policy speaks of calendars or rotas that do not exist.", errors=unknown)
    _refuse_impossible(tx, policy, known)
    if previous != definition:
        version += 1
        _store_policy(tx, policy_id, version, definition, previous, origin)
    return Defined(id=policy_id, version=version, definition=definition, warnings=remarks(policy))


def order_policies(
    tx: EventTransaction[Any], ids: Sequence[str], *, origin: Origin
) -> list[Defined]:
    """Ask the policies in this order from now on; `ids` must name each exactly once.

    Raises:
        Invalid: an id is missing, unknown or given twice.
    """
    _lock(tx)
    current = current_policies(tx)
    if sorted(ids) != sorted(current):
        missing = sorted(current.keys() - set(ids))
        unknown = sorted(set(ids) - current.keys())
        raise Invalid.of(
            "order",
            "must name each policy once; "
            f"missing: {', '.join(missing) or 'none'}; unknown: {', '.join(unknown) or 'none'}",
        )
    answer = []
    for place, policy_id in enumerate(ids, start=1):
        version, previous = current[policy_id]
        definition = {**previous, "order": place * ORDER_STEP}
        if definition != previous:
            version += 1
            _store_policy(tx, policy_id, version, definition, previous, origin)
        answer.append(Defined(id=policy_id, version=version, definition=definition))
    return answer


def define_calendar(
    tx: EventTransaction[Any],
    calendar_id: str,
    document: Mapping[str, Any],
    *,
    origin: Origin,
    expected: int | None = None,
) -> Defined:
    """Make or change a calendar; open clocks on it are recomputed soon after (S12).

    Raises:
        Invalid: naming every wrong field, or a calendar that never opens.
        Conflict: the calendar has another version than `expected`.
    """
    checked_id(calendar_id, field="calendar_id")
    _lock(tx)
    version, previous = current_calendars(tx).get(calendar_id, (0, None))
    _check_expected("calendar", calendar_id, version, expected)
    definition = as_sent(document)
    calendar = read_calendar(calendar_id, version + 1, definition, first_day=tx.now.date())
    _keep_promises_possible(tx, calendar)
    if previous == definition:
        return Defined(id=calendar_id, version=version, definition=definition)
    version += 1
    tx.append(
        CalendarDefined(
            **origin.stamp(version, tx.now, tx.now),
            calendar_id=calendar_id,
            definition=definition,
            previous=previous,
            tzdata_version=tzdata_version(),
        )
    )
    tx.cursor.execute(
        "INSERT INTO calendar_versions"
        " (calendar_id, version, definition, tzdata_version, recorded_at)"
        " VALUES (%s, %s, %s, %s, %s)",
        (calendar_id, version, Jsonb(definition), tzdata_version(), tx.now),
    )
    if version > 1:
        tx.cursor.execute(
            "INSERT INTO recalculations (calendar_id, version, requested_at) VALUES (%s, %s, %s)",
            (calendar_id, version, tx.now),
        )
    return Defined(id=calendar_id, version=version, definition=definition)


def current_policies(tx: EventTransaction[Any]) -> dict[str, tuple[int, dict[str, Any]]]:
    """The newest version and document of each policy."""
    tx.cursor.execute(
        "SELECT DISTINCT ON (policy_id) policy_id, version, definition FROM policy_versions"
        " ORDER BY policy_id, version DESC"
    )
    return {row["policy_id"]: (row["version"], row["definition"]) for row in tx.cursor.fetchall()}


def current_calendars(tx: EventTransaction[Any]) -> dict[str, tuple[int, dict[str, Any]]]:
    """The newest version and document of each calendar."""
    tx.cursor.execute(
        "SELECT DISTINCT ON (calendar_id) calendar_id, version, definition FROM calendar_versions"
        " ORDER BY calendar_id, version DESC"
    )
    return {row["calendar_id"]: (row["version"], row["definition"]) for row in tx.cursor.fetchall()}


_TABLES: Final = {
    "policy": ("policy_versions", "policy_id"),
    "calendar": ("calendar_versions", "calendar_id"),
}


def find_version(
    tx: EventTransaction[Any], what: str, name: str, version: int | None
) -> Defined | None:
    """One version of a policy or calendar (`what`), the newest when `version` is None."""
    table, key = _TABLES[what]
    tx.cursor.execute(
        f"SELECT version, definition FROM {table} WHERE {key} = %s"  # noqa: S608  # constants
        " AND (%s::int IS NULL OR version = %s) ORDER BY version DESC LIMIT 1",
        (name, version, version),
    )
    row = tx.cursor.fetchone()
    if row is None:
        return None
    return Defined(id=name, version=row["version"], definition=row["definition"])


def _store_policy(
    tx: EventTransaction[Any],
    policy_id: str,
    version: int,
    definition: dict[str, Any],
    previous: dict[str, Any] | None,
    origin: Origin,
) -> None:
    tx.append(
        SlaPolicyDefined(
            **origin.stamp(version, tx.now, tx.now),
            policy_id=policy_id,
            definition=definition,
            previous=previous,
        )
    )
    tx.cursor.execute(
        "INSERT INTO policy_versions (policy_id, version, definition, recorded_at)"
        " VALUES (%s, %s, %s, %s)",
        (policy_id, version, Jsonb(definition), tx.now),
    )


def _refuse_impossible(
    tx: EventTransaction[Any], policy: Policy, known: Mapping[str, tuple[int, dict[str, Any]]]
) -> None:
    """A promise that never comes due is none (C8): refused at write time, with an example."""
    asked = {target.calendar_id for target in policy.targets if target.calendar_id is not None}
    calendars = {name: read_calendar(name, *known[name]) for name in asked}
    errors = impossible(policy, calendars, at=tx.now)
    if errors:
        raise Invalid(
            "A part of the policy can never come due.",
            errors=[FieldError(each.field, each.message) for each in errors],
        )


def _keep_promises_possible(tx: EventTransaction[Any], calendar: Calendar) -> None:
    """A calendar's new hours must not make a policy's target unreachable (C9)."""
    errors = [
        FieldError("hours", f"policy {name}, {each.field}: {each.message}")
        for name, (version, document) in sorted(current_policies(tx).items())
        for place, target in enumerate(read_policy(name, version, document).targets)
        if target.calendar_id == calendar.id
        for each in unreachable(target, calendar, field=f"targets[{place}]", at=tx.now)
    ]
    if errors:
        raise Invalid("A policy's target on this calendar could never come due.", errors=errors)


def _lock(tx: EventTransaction[Any]) -> None:
    tx.cursor.execute("UPDATE rulebook SET revision = revision + 1")


def _check_expected(what: str, name: str, version: int, expected: int | None) -> None:
    if expected is not None and expected != version:
        raise Conflict(
            f"The {what} {name} has version {version}, not {expected}.", field="header If-Match"
        )


def _last_order(current: Mapping[str, tuple[int, dict[str, Any]]]) -> int:
    return max((int(document["order"]) for _, document in current.values()), default=0)
