"""Which way to a page of a list costs least: walking tickets in its order, or gathering those that match.

A walk meets its page soon when much of what it passes matches, and passes everything when nothing does. Gathering costs
what there is to look up, whatever the order. Between the two, a walk may read one set whole and then know its tickets
as it passes them. The costs are microseconds of processor time, measured at a million
tickets whose indexes are in memory; only their proportions matter.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, prod
from typing import Final

PASSED_IN_INDEX: Final = 0.15
"""A walk passes by a ticket when the index that it goes along holds all that is asked."""

PASSED_BY_ROW: Final = 2.0
"""The same when the ticket must be looked at elsewhere."""

_LOOKED_UP: Final = 1.8
"""A ticket that was found by another table's row is looked up in the index of its id."""

_JOINED: Final = 0.15
"""And that much when both sets are read whole and joined: few of their own beside many rows of the other table."""

_KNOWN: Final = 0.15
"""A walk asks for a ticket that it passes whether it is in a set that was read before."""

_KNOWN_MAX: Final = 50_000
"""Tickets of such a set: it must fit into PostgreSQL's `work_mem`, or it is read again for every ticket."""

_KEPT_MIN: Final = 0.5
"""And such a set must be what is asked for, and not what a phrase is to be found in."""

_GATHERED_AT_ONCE: Final = 10_000.0
"""Up to here gathering is preferred: what it costs is known, and what a walk costs is hoped."""

_SORTED: Final = 0.5
"""A ticket's place in the list's order is found before it is tested: the tests end with the page."""

_HOPE: Final = 2
"""A walk that has tested twice what it should have needed is given up: what matches is not spread evenly."""

_TESTED_MIN: Final = 1_000
"""But it tests so many first; that takes some milliseconds."""


@dataclass(frozen=True, slots=True)
class Part:
    """A condition on rows of another table: some `about` tickets fulfil it.

    `looked_up`: what each of them costs as member of a set; `tested`: what asking it of one ticket costs. An index
    knows only which tickets have the words of a phrase: a share of `kept` has the phrase, and all are tested for it.
    `checked`: what it costs to see whether it is much fewer, which a walk must know; 0 where the number is certain.
    """

    about: int
    looked_up: float
    tested: float
    kept: float = 1.0
    checked: float = 0.0


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
    `is_known`: a walk reads the set of the smallest part first, and tests tickets for others only if they are in it.
    """

    is_gathered: bool
    sets: int
    tested_max: int | None = None
    is_known: bool = False


def cheapest(field: Field, parts: Sequence[Part]) -> Way:
    """The way that costs least if conditions are independent of each other. `parts`: the smallest first."""
    shares = [min(part.about / max(field.everything, 1), 1.0) for part in parts]
    gathering = [_gathering(field, parts, shares, sets) for sets in range(len(parts) + 1)]
    sets = min(range(len(gathering)), key=gathering.__getitem__)
    tests = _tests(parts, shares, 0)
    matching = field.own * _share(tests)
    walked = min(1.0, field.page / max(matching, 1e-9))
    walking = walked * (field.ordered * field.passed + _testing(field.own, tests))
    knowing = _knowing(field, parts, shares, walked)
    hoped = min(walking, knowing) + (parts[0].checked if parts else 0.0)
    if gathering[sets] <= max(hoped, _GATHERED_AT_ONCE):
        return Way(is_gathered=True, sets=sets)
    tested_max = max(_TESTED_MIN, int(_HOPE * walked * field.own))
    if knowing < walking:
        # A walk that passes everything has found everything.
        bound = tested_max if tested_max < field.own else None
        return Way(is_gathered=False, sets=sets, tested_max=bound, is_known=True)
    if any(part.kept < 1.0 for part in parts):
        # What a phrase leaves is a guess: the walk may cost as much as gathering would, and both the twice of that.
        tested_max = max(tested_max, int(gathering[sets] / _testing(1.0, tests)))
    # The rest of a walk may cost less than starting again.
    ahead = _testing(field.own - tested_max, tests)
    is_given_up = bool(parts) and gathering[sets] < ahead
    return Way(is_gathered=False, sets=sets, tested_max=tested_max if is_given_up else None)


def _knowing(field: Field, parts: Sequence[Part], shares: list[float], walked: float) -> float:
    if not parts or parts[0].about > _KNOWN_MAX or parts[0].kept < _KEPT_MIN:
        return inf
    passing = field.ordered * field.passed + field.own * _KNOWN
    tested = _testing(field.own * shares[0], _tests(parts, shares, 1))
    return parts[0].about * parts[0].looked_up + walked * (passing + tested)


def _gathering(field: Field, parts: Sequence[Part], shares: list[float], sets: int) -> float:
    tests = _tests(parts, shares, sets)
    if sets == 0:
        found, cost = float(field.own), field.found + field.own * _LOOKED_UP
    else:
        in_sets = field.everything * prod(shares[:sets])
        found = in_sets * field.own / max(field.everything, 1)
        cost = sum(part.about * part.looked_up for part in parts[:sets])
        cost += min(in_sets * _LOOKED_UP, field.found + in_sets * _JOINED)
    if tests:
        tested = min(found, field.page / max(_share(tests), 1e-9))
        cost += found * _SORTED + _testing(tested, tests)
    return cost


def _tests(parts: Sequence[Part], shares: list[float], sets: int) -> list[tuple[float, float]]:
    """What one of a ticket costs and which share passes it: first of those parts that are no sets, then of phrases."""
    of_tests = [
        (part.tested, share * part.kept)
        for part, share in zip(parts[sets:], shares[sets:], strict=True)
    ]
    return of_tests + [(part.tested, part.kept) for part in parts[:sets] if part.kept < 1.0]


def _share(tests: Sequence[tuple[float, float]]) -> float:
    return prod(share for _, share in tests)


def _testing(tickets: float, tests: Sequence[tuple[float, float]]) -> float:
    """Of so many tickets; one that fails a test is not put to the next."""
    cost = 0.0
    for each, share in tests:
        cost += tickets * each
        tickets *= share
    return cost
