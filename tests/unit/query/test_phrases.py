"""Which pairs of words a text must have: never more than the query itself asks for."""

import re

import pytest

from services.query.views.phrases import pairs_needed
from services.query.views.values import Values


def needed(query: str) -> str | None:
    """The condition with its values in their places."""
    values = Values()
    found = pairs_needed(query, values)
    if found is None:
        return None
    text = re.sub(r"%\((\w+)\)s", lambda place: str(values[place[1]]), found.as_string())
    return text.replace("p.pairs @> ARRAY", "").replace("word_pair", "")


@pytest.mark.parametrize(
    ("query", "pairs"),
    [
        ("'a'", None),
        ("'a' & 'b'", None),
        ("'a' <-> 'b'", "[(a, b)]"),
        ("'a' <-> 'b' <-> 'c'", "[(a, b), (b, c)]"),
        ("'a' <-> 'b' <2> 'c' <-> 'd'", "[(a, b), (c, d)]"),
        ("'a' <2> 'b'", None),
        ("'a' <-> 'b' & 'c'", "[(a, b)]"),
        ("'a' <-> 'b' & 'c' <-> 'd'", "([(a, b)] AND [(c, d)])"),
        ("'a' <-> 'b' | 'c' <-> 'd'", "([(a, b)] OR [(c, d)])"),
        ("'a' <-> 'b' | 'c'", None),
        ("( 'a' <-> 'b' | 'c' ) & 'd' <-> 'e'", "[(d, e)]"),
        ("( ( 'a' <-> 'b' ) | ( 'c' <-> 'd' ) ) & !( 'e' <-> 'f' )", "([(a, b)] OR [(c, d)])"),
        ("!( 'a' <-> 'b' )", None),
        ("'a' <-> 'b' & !'c' <-> 'd'", "[(a, b)]"),
        ("'a' <-> !'b' <-> 'c'", None),
        ("'a' <-> ( 'b' | 'c' ) <-> 'd' <-> 'e'", "[(d, e)]"),
        ("( 'a' <-> 'b' ) <-> 'c'", "[(a, b)]"),
        ("'it''s' <-> 'a\\\\b' <-> '(&|'", "[(it's, a\\b), (a\\b, (&|)]"),
    ],
)
def test_a_phrase_needs_its_neighbours_and_nothing_that_another_word_may_stand_for(
    query: str, pairs: str | None
) -> None:
    assert needed(query) == pairs
