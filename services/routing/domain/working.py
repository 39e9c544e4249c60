"""What may be said about how a group and its agents work: room, widening, offers, tiers. Faults name their field."""

from collections.abc import Iterator, Mapping
from typing import Final

from services.routing.domain.agent import OPEN, Group
from shared.errors import FieldError
from shared.events.agents import (
    CapacityUnits,
    GroupProfile,
    OfferMode,
    RoutingSettings,
    WideningStep,
)
from shared.events.base import Channel, Priority
from shared.identifiers import is_slug

CAPACITY_MAX: Final = 10_000.0
"""More open tickets in one pair of hands is a mistake in the request."""

UNITS_MAX: Final = 1_000.0
"""More room for one ticket than anybody has."""

STEPS_MAX: Final = 10
"""More stages of one wait are nobody's plan; every one is a queue of its own."""

NAMES_MAX: Final = 20
"""Skills or groups in one step."""

SECONDS_MAX: Final = 30 * 86_400
"""A month: what waits longer is nobody's work."""

OFFER_SECONDS_MAX: Final = 3_600
"""An hour: room that is kept so long for nothing is lost."""

SLA_ACTIONS: Final = ("raise", "overflow", "reassign")
REROUTE_ON: Final = ("priority", "tags", "subject", "type", "fields")

_CHANNELS: Final = tuple(channel.value for channel in Channel)
_PRIORITIES: Final = tuple(priority.value for priority in Priority)
_STATES: Final = tuple(sorted(state.value for state in OPEN))


def channel_capacity_faults(limits: Mapping[str, float]) -> Iterator[FieldError]:
    """Limits of channels that there are, none below 0."""
    for channel, limit in limits.items():
        field = f"channel_capacity.{channel[:64]}"
        if channel not in _CHANNELS:
            yield FieldError(field, f"unknown channel; one of {', '.join(_CHANNELS)}")
        elif not 0 <= limit <= CAPACITY_MAX:
            yield FieldError(field, f"0 to {CAPACITY_MAX:g}")


def settings_faults(settings: RoutingSettings) -> Iterator[FieldError]:
    """What is wrong with the settings for every group."""
    yield from units_faults(settings.units, "units")
    yield from _word_faults(settings.reroute_on, REROUTE_ON, "reroute_on")


def working_faults(
    group_id: str, profile: GroupProfile, groups: Mapping[str, Group]
) -> Iterator[FieldError]:
    """What is wrong with a group beside how it shares out; `groups`: those there are."""
    if profile.units is not None:
        yield from units_faults(profile.units, "units")
    yield from widening_faults(profile.widening)
    for number, step in enumerate(profile.widening):
        for place, other in enumerate(step.overflow):
            field = f"widening[{number}].overflow[{place}]"
            yield from _other_group_faults(field, group_id, other, groups)
            circle = _circle(group_id, other, {one: _overflow(two) for one, two in groups.items()})
            if circle:
                yield FieldError(field, f"the overflow goes round in a circle: {circle}")
    if profile.escalates_to is not None:
        yield from _other_group_faults("escalates_to", group_id, profile.escalates_to, groups)
        tiers = {one: _tier(two) for one, two in groups.items()}
        circle = _circle(group_id, profile.escalates_to, tiers)
        if circle:
            yield FieldError("escalates_to", f"the tiers go round in a circle: {circle}")
    yield from _seconds_faults("grace_seconds", profile.grace_seconds, 0, SECONDS_MAX)
    yield from _seconds_faults("wait_seconds_max", profile.wait_seconds_max, 1, SECONDS_MAX)
    yield from _seconds_faults("pull_lease_seconds", profile.pull_lease_seconds, 1, SECONDS_MAX)
    yield from offer_faults(profile.offer)
    yield from _word_faults(profile.on_sla_warning, SLA_ACTIONS, "on_sla_warning")


def units_faults(units: CapacityUnits, path: str) -> Iterator[FieldError]:
    """Known names, and nothing below 0."""
    if not 0 <= units.default <= UNITS_MAX:
        yield FieldError(f"{path}.default", f"0 to {UNITS_MAX:g}")
    for name, values, known in (
        ("channels", units.channels, _CHANNELS),
        ("priorities", units.priorities, _PRIORITIES),
        ("states", units.states, _STATES),
    ):
        for key, value in values.items():
            field = f"{path}.{name}.{key[:64]}"
            if key not in known:
                yield FieldError(field, f"unknown; one of {', '.join(known)}")
            elif not 0 <= value <= UNITS_MAX:
                yield FieldError(field, f"0 to {UNITS_MAX:g}")


def widening_faults(steps: tuple[WideningStep, ...]) -> Iterator[FieldError]:
    """Steps one after the other in time, each with something to do."""
    if len(steps) > STEPS_MAX:
        yield FieldError("widening", f"at most {STEPS_MAX} steps")
        return
    before = 0
    for number, step in enumerate(steps):
        path = f"widening[{number}]"
        if not before < step.after_seconds <= SECONDS_MAX:
            yield FieldError(
                f"{path}.after_seconds", f"more than the step before it, at most {SECONDS_MAX}"
            )
        before = max(before, step.after_seconds)
        if not step.relax and not step.overflow:
            yield FieldError(path, "relaxes no skill and names no group")
        if len(step.relax) > NAMES_MAX or len(step.overflow) > NAMES_MAX:
            yield FieldError(path, f"at most {NAMES_MAX} skills and {NAMES_MAX} groups")
        for place, skill in enumerate(step.relax):
            if not is_slug(skill):
                yield FieldError(f"{path}.relax[{place}]", f"{skill[:64]!r} is no skill name")


def offer_faults(offer: OfferMode | None) -> Iterator[FieldError]:
    """An offer needs time to be answered, and not for ever."""
    if offer is not None:
        yield from _seconds_faults("offer.seconds", offer.seconds, 1, OFFER_SECONDS_MAX)
        yield from _seconds_faults("offer.again_seconds", offer.again_seconds, 1, SECONDS_MAX)
        yield from _seconds_faults("offer.away_after", offer.away_after, 1, 100)


def _other_group_faults(
    field: str, group_id: str, other: str, groups: Mapping[str, Group]
) -> Iterator[FieldError]:
    if other == group_id:
        yield FieldError(field, "is the group itself")
    elif other not in groups:
        yield FieldError(field, f"there is no group {other[:64]!r}")


def _circle(group_id: str, first: str, onward: Mapping[str, tuple[str, ...]]) -> str:
    """The way from `first` back to the group; empty when there is none."""
    if first == group_id:
        return ""  # said already: it is the group itself
    came_from: dict[str, str] = {}
    seen, ways = {first}, [first]
    while ways:
        here = ways.pop()
        for there in onward.get(here, ()):
            if there == group_id:
                way = [group_id, here]
                while way[-1] != first:
                    way.append(came_from[way[-1]])
                return " → ".join((group_id, *reversed(way)))
            if there not in seen:
                seen.add(there)
                came_from[there] = here
                ways.append(there)
    return ""


def _overflow(group: Group) -> tuple[str, ...]:
    return tuple(other for step in group.profile.widening for other in step.overflow)


def _tier(group: Group) -> tuple[str, ...]:
    return (group.profile.escalates_to,) if group.profile.escalates_to is not None else ()


def _seconds_faults(field: str, seconds: int | None, least: int, most: int) -> Iterator[FieldError]:
    if seconds is not None and not least <= seconds <= most:
        yield FieldError(field, f"{least} to {most}, or null")


def _word_faults(said: tuple[str, ...], known: tuple[str, ...], field: str) -> Iterator[FieldError]:
    for place, word in enumerate(said):
        if word not in known:
            yield FieldError(f"{field}[{place}]", f"one of {', '.join(known)}")
