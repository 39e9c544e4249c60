"""The interval tree: an instant finds every stretch that contains it, and looks at one node a level."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.query.projections.intervals import LEVELS, fork_node, nodes_of

LENGTHS = st.one_of(st.integers(1, 1_000), st.integers(1, 10**14))
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOMENTS = st.integers(1, 4 * 10**15).map(lambda part: EPOCH + timedelta(microseconds=part))


@given(MOMENTS, LENGTHS, st.floats(0, 1))
def test_a_stretch_is_kept_where_each_of_its_instants_looks(start, length, share):
    end = start + timedelta(microseconds=length)
    instant = start + timedelta(microseconds=int((length - 1) * share))
    assert start <= instant < end
    assert fork_node(start, end) in nodes_of(instant)


@given(MOMENTS, LENGTHS)
def test_a_stretch_is_kept_within_itself(start, length):
    node = fork_node(start, start + timedelta(microseconds=length))
    assert start <= EPOCH + timedelta(microseconds=node) < start + timedelta(microseconds=length)


@given(MOMENTS)
def test_an_instant_looks_at_few_nodes(instant):
    assert len(set(nodes_of(instant))) == LEVELS
