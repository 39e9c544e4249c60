"""Every version of every policy and calendar that may matter, and which was in force when."""

from bisect import bisect_right
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial

from services.sla.engine.conditions import Question, compiled, fields_of
from services.sla.engine.metrics import ALWAYS_TRACKED, METRICS, Metric
from services.sla.engine.policies import Policy
from services.sla.engine.state import to_us
from services.sla.engine.terms import Terms, terms_of
from shared.calendar import Calendar

ALWAYS_OPEN = Calendar(id="24x7")
"""What a target without a calendar is measured with."""


class Rulebook:
    """Immutable; when a policy or calendar gets a version, make a new rulebook with it as well.

    Give every version that an open ticket may have pinned, in any order. The list position breaks
    ties of `Policy.order`. Two policies of the same id and version, or two calendars: `ValueError`.
    """

    def __init__(self, policies: Iterable[Policy] = (), calendars: Iterable[Calendar] = ()) -> None:
        self._policies: dict[tuple[str, int], Policy] = {}
        for policy in policies:
            if (policy.id, policy.version) in self._policies:
                raise ValueError(f"policy {policy.id} version {policy.version} is given twice")
            self._policies[policy.id, policy.version] = policy
        self._calendars: dict[tuple[str, int], Calendar] = {}
        for calendar in calendars:
            if (calendar.id, calendar.version) in self._calendars:
                raise ValueError(
                    f"calendar {calendar.id} version {calendar.version} is given twice"
                )
            self._calendars[calendar.id, calendar.version] = calendar
        self._eras, self._in_era = _eras(list(self._policies.values()))
        self._fields_in_era = [
            frozenset().union(*(fields_of(policy.conditions.parts) for policy in era))
            for era in self._in_era
        ]
        self._calendar_versions = _versions(self._calendars.values())
        used = {target.metric for policy in self._policies.values() for target in policy.targets}
        self.tracked: tuple[Metric, ...] = tuple(
            metric for name, metric in METRICS.items() if name in used or name in ALWAYS_TRACKED
        )
        """The metrics whose clocks are followed: those of any policy, and the three core ones."""
        self.asked_fields: frozenset[str] = frozenset().union(
            *self._fields_in_era,
            *(policy.target_fields for policy in self._policies.values()),
        )
        """The attributes any policy asks for; the others need not be told to the engine."""

        open_at = {name: partial(self._is_open, name) for name in self._calendar_versions}
        self._tests = {
            key: compiled(policy.conditions.parts, open_at)
            for key, policy in self._policies.items()
        }
        self._terms = {
            key: terms_of(self.tracked, policy, open_at) for key, policy in self._policies.items()
        }
        self._default_terms = terms_of(self.tracked, None)

    def terms(self, policy_id: str | None, version: int | None) -> dict[str, Terms]:
        """Return the terms of every tracked metric under a pinned version, or the defaults."""
        return self._terms.get((policy_id or "", version or 0), self._default_terms)

    def match(self, at_us: int, ticket: Question) -> Policy | None:
        """Find the first enabled policy in force whose conditions hold (S10)."""
        for policy in self._in_era[bisect_right(self._eras, at_us)]:
            holds = self._tests[policy.id, policy.version]
            if holds is None or holds(ticket):
                return policy
        return None

    def policy_in_force(self, policy_id: str, at_us: int) -> Policy | None:
        """Find the enabled version of this id in force, whatever its conditions say."""
        for policy in self._in_era[bisect_right(self._eras, at_us)]:
            if policy.id == policy_id:
                return policy
        return None

    def matched_fields(self, at_us: int) -> frozenset[str]:
        """The attributes that the conditions in force ask for: their change matches anew (S10)."""
        return self._fields_in_era[bisect_right(self._eras, at_us)]

    def policy(self, policy_id: str | None, version: int | None) -> Policy | None:
        """Find a pinned version."""
        return self._policies.get((policy_id or "", version or 0))

    def calendar_in_force(self, calendar_id: str | None, at_us: int) -> Calendar | None:
        """Find the version for new clocks; before the first is in force, that first one.

        `None` for an id that is not here: the caller must not fall back to wall clock (C9).
        """
        if calendar_id is None:
            return ALWAYS_OPEN
        versions = self._calendar_versions.get(calendar_id)
        if not versions:
            return None
        index = bisect_right([since for since, _ in versions], at_us)
        return versions[max(index - 1, 0)][1]

    def calendar(self, calendar_id: str | None, version: int | None) -> Calendar | None:
        """Find a pinned version; `None` as id means 24x7."""
        if calendar_id is None:
            return ALWAYS_OPEN
        return self._calendars.get((calendar_id, version or 0))

    def _is_open(self, calendar_id: str, moment: datetime) -> bool:
        calendar = self.calendar_in_force(calendar_id, to_us(moment))
        return calendar is not None and calendar.is_open(moment)


def _since(in_force_from: datetime | None) -> int:
    return to_us(in_force_from) if in_force_from is not None else to_us(_EVER)


_EVER = datetime(1, 1, 1, tzinfo=UTC)


def _eras(policies: list[Policy]) -> tuple[list[int], list[tuple[Policy, ...]]]:
    """For each stretch between two changes: the enabled policies in their order."""
    starts = sorted({_since(policy.in_force_from) for policy in policies})
    eras: list[tuple[Policy, ...]] = [()]
    for start in starts:
        newest: dict[str, tuple[int, Policy]] = {}
        for position, policy in enumerate(policies):
            known = newest.get(policy.id)
            if _since(policy.in_force_from) <= start and (
                known is None or policy.version > known[1].version
            ):
                newest[policy.id] = (known[0] if known else position, policy)
        ordered = sorted(newest.values(), key=lambda entry: (entry[1].order, entry[0]))
        eras.append(tuple(policy for _, policy in ordered if policy.enabled))
    return starts, eras


def _versions(calendars: Iterable[Calendar]) -> dict[str, list[tuple[int, Calendar]]]:
    """Per calendar: its versions by the moment from which each is in force."""
    found: dict[str, list[tuple[int, Calendar]]] = {}
    for calendar in sorted(calendars, key=lambda entry: entry.version):
        found.setdefault(calendar.id, []).append((_since(calendar.in_force_from), calendar))
    for versions in found.values():
        versions.sort(key=lambda entry: (entry[0], entry[1].version))
    return found
