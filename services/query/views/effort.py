"""Which way to a page of a list costs least: walking tickets in its order, or gathering those that match.

A walk meets its page soon when much of what it passes matches, and passes everything when nothing does. Gathering costs
what there is to look up, whatever the order. The costs are microseconds of processor time, measured at a million
tickets whose indexes are in memory; only their proportions matter.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Final

PASSED_IN_INDEX: Final = 0.15
"""A walk passes by a ticket when the index that it goes along holds all that is asked."""

PASSED_BY_ROW: Final = 2.0
"""The same when the ticket must be looked at elsewhere."""

_LOOKED_UP: Final = 1.8
"""A ticket that was found by another table's row is looked up in the index of its id."""

_GATHERED_AT_ONCE: Final = 10_000.0
"""Up to here gathering is preferred: what it costs is known, and what a walk costs is hoped."""

_HOPE: Final = 2
"""A walk that has tested twice what it should have needed is given up: what matches is not spread evenly."""

_TESTED_MIN: Final = 2_000
"""But it tests so many first; that takes some milliseconds."""


@dataclass(frozen=True, slots=True)
class Part:
    """A condition on rows of another table: some `about` tickets fulfil it.

    `looked_up`: what each of them costs as member of a set; `tested`: what asking it of one ticket costs. Of a phrase
    the planner knows only how many have its words: that is not `is_sure`, and no walk is judged by it.
    """

    about: int
    looked_up: float
    tested: float
    is_sure: bool = True


@dataclass(frozen=True, slots=True)
class Field:
    """What a list is taken from.

    Attributes:
        everything: all tickets.
        own: those that fulfil the conditions on the ticket itself.
        found: what finding those costs, in no order.
        ordered: tickets that a whole walk in the list's order passes.
        passed: what passing one of them costs.
        page: rows wanted.
    """

    everything: int
    own: int
    found: float
    ordered: int
    passed: float
    page: int


@dataclass(frozen=True, slots=True)
class Way:
    """`sets`: so many of the parts, the smallest first, are looked up as sets when gathering; the others are tested.

    `tested_max`: a walk tests no more tickets than that before it is given up for gathering; None: it goes to the end.
    """

    is_gathered: bool
    sets: int
    tested_max: int | None = None


def cheapest(field: Field, parts: Sequence[Part]) -> Way:
    """The way that costs least if conditions are independent of each other. `parts`: the smallest first."""
    shares = [min(part.about / max(field.everything, 1), 1.0) for part in parts]
    gathering = [_gathering(field, parts, shares, sets) for sets in range(len(parts) + 1)]
    sets = min(range(len(gathering)), key=gathering.__getitem__)
    matching = field.own * prod(shares)
    walked = min(1.0, field.page / max(matching, 1e-9))
    walking = walked * (field.ordered * field.passed + _testing(field.own, parts, shares))
    if gathering[sets] <= max(walking, _GATHERED_AT_ONCE):
        return Way(is_gathered=True, sets=sets)
    tested_max = max(_TESTED_MIN, int(_HOPE * walked * field.own))
    # The rest of a walk may cost less than starting again.
    ahead = _testing(field.own - tested_max, parts, shares)
    is_given_up = bool(parts) and gathering[sets] < ahead and all(part.is_sure for part in parts)
    return Way(is_gathered=False, sets=sets, tested_max=tested_max if is_given_up else None)


def _gathering(field: Field, parts: Sequence[Part], shares: list[float], sets: int) -> float:
    if sets == 0:
        return field.found + field.own * _LOOKED_UP + _testing(field.own, parts, shares)
    in_sets = field.everything * prod(shares[:sets])
    of_sets = sum(part.about * part.looked_up for part in parts[:sets])
    tested = in_sets * field.own / max(field.everything, 1)
    return of_sets + in_sets * _LOOKED_UP + _testing(tested, parts[sets:], shares[sets:])


def _testing(tickets: float, parts: Sequence[Part], shares: list[float]) -> float:
    """Of so many tickets; one that fails a test is not put to the next."""
    cost = 0.0
    for part, share in zip(parts, shares, strict=True):
        cost += tickets * part.tested
        tickets *= share
    return cost
