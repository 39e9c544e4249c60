"""Which way to a page is chosen, by what a million tickets would cost."""

from dataclasses import replace

import pytest

from services.query.views.effort import PASSED_BY_ROW, PASSED_IN_INDEX, Field, Part, Way, cheapest

N = 1_000_000


def facet(about: int) -> Part:
    return Part(about, looked_up=0.25, tested=6.0)


def word(about: int) -> Part:
    return Part(about, looked_up=3.0, tested=4.5)


def field(own: int = N, *, ordered: int = N, passed: float = PASSED_IN_INDEX) -> Field:
    """Own conditions that an index finds."""
    return Field(N, own, found=own * 0.3, ordered=ordered, passed=passed, page=51)


WALKED = [
    ("everything", field(), ()),
    ("a common value: fifty are met soon", field(), (facet(250_000),)),
    ("a range of all within a group of a fiftieth", field(20_000), (facet(N),)),
    ("a range of a tenth within half of all", field(500_000, ordered=500_000), (facet(100_000),)),
    ("a range of a twentieth within a group in its own order", field(20_000, ordered=20_000), (facet(50_000),)),
    ("a tenth of all by a row", field(100_000, passed=PASSED_BY_ROW), ()),
    ("two common words", field(), (word(100_000), word(300_000))),
]  # fmt: skip

GATHERED = [
    ("nothing at all", field(), (facet(0),), 1),
    ("ten of a million", field(), (facet(10),), 1),
    ("ten of a million within half", field(500_000), (facet(10),), 1),
    ("a seldom value, tested for the common word", field(), (facet(2_000), word(500_000)), 1),
    ("a hundred of a requester, tested for all", field(100), (facet(50_000), word(100_000)), 0),
    ("three that few fulfil together", field(), (facet(10_000), word(60_000), facet(330_000)), 1),
    ("two values that few tickets of a small group have", field(100_000), (facet(25_000), facet(30_000)), 2),
    ("few of their own, by rows", field(3_000, passed=PASSED_BY_ROW), (), 0),
]  # fmt: skip


@pytest.mark.parametrize(
    ("own", "parts"), [case[1:] for case in WALKED], ids=[c[0] for c in WALKED]
)
def test_what_is_met_soon_is_walked(own: Field, parts: tuple[Part, ...]) -> None:
    assert not cheapest(own, parts).is_gathered


@pytest.mark.parametrize(
    ("own", "parts", "sets"), [case[1:] for case in GATHERED], ids=[c[0] for c in GATHERED]
)
def test_what_is_seldom_is_gathered_by_what_costs_least(
    own: Field, parts: tuple[Part, ...], sets: int
) -> None:
    way = cheapest(own, parts)
    assert (way.is_gathered, way.sets) == (True, sets)


def test_a_walk_that_meets_less_than_it_hoped_is_given_up_only_where_gathering_costs_less() -> None:
    values = (facet(250_000), facet(250_000))
    given_up = cheapest(field(), values)
    assert not given_up.is_gathered
    assert given_up.sets == 2
    assert given_up.tested_max is not None
    assert 51 * 16 < given_up.tested_max < N / 100
    assert cheapest(field(3_000, ordered=3_000), (facet(N), facet(N))).tested_max is None


def test_a_walk_knows_the_tickets_of_a_set_where_they_are_too_many_to_gather() -> None:
    pairs = Part(15_000, looked_up=2.0, tested=8.0, kept=0.7)
    tag = Part(330_000, looked_up=0.25, tested=1.5)
    way = cheapest(field(), (pairs, tag))
    assert (way.is_gathered, way.is_known) == (False, True)
    # Some 15,000 tickets are passed, if they are spread evenly.
    assert way.tested_max is not None
    assert 20_000 < way.tested_max < 60_000
    assert cheapest(field(), (replace(pairs, about=1_000), tag)).is_gathered
    to_the_end = cheapest(field(7_000, ordered=7_000), (replace(pairs, about=10_000),))
    assert (to_the_end.is_known, to_the_end.tested_max) == (True, None)
    assert not cheapest(field(), (word(51_000),)).is_known, "it would not fit into memory"


def test_what_seeing_how_many_there_are_would_cost_is_rather_spent_on_gathering_them() -> None:
    def words(about: int, *, checked: float) -> Part:
        return Part(about, looked_up=3.0, tested=4.5, checked=checked)

    assert not cheapest(field(), (words(3_500, checked=0.0),)).is_gathered
    assert cheapest(field(), (words(3_500, checked=10_500.0),)) == Way(is_gathered=True, sets=1)
    assert not cheapest(field(), (words(40_000, checked=18_000.0),)).is_gathered, "it costs more"


def test_a_phrase_is_looked_for_in_order_among_those_with_its_words() -> None:
    def phrase(about: int) -> Part:
        return Part(about, looked_up=3.0, tested=4.5, kept=0.05)

    assert cheapest(field(), (phrase(20_000),)) == Way(is_gathered=True, sets=1)
    common = cheapest(field(), (phrase(150_000),))
    assert not common.is_gathered
    # Given up only when it has cost about what gathering will.
    assert common.tested_max is not None
    assert 100_000 < common.tested_max < 300_000
    assert cheapest(field(), (phrase(800_000),)).tested_max is None
    assert cheapest(field(3_000), (phrase(800_000),)) == Way(is_gathered=True, sets=0)
    assert cheapest(field(3_000), (phrase(10),)) == Way(is_gathered=True, sets=1)
