"""A cursor comes back as the values it was made of, or is refused."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import Invalid
from shared.http import cursor

bigint = st.integers(-(2**63), 2**63 - 1)
moments = st.datetimes(timezones=st.just(UTC))
Row = tuple[datetime, UUID, int, str, bool, float | None]


@settings(deadline=None)  # the machine may be busy
@given(
    st.tuples(
        moments,
        st.uuids(),
        bigint,
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=50),
        st.booleans(),
        st.none() | st.floats(allow_nan=False),
    )
)
def test_values_come_back(values: Row) -> None:
    assert cursor.decode(cursor.encode(values, scope="s"), Row, scope="s") == values


@settings(deadline=None)  # the machine may be busy
@given(st.text(max_size=60))
def test_garbage_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        cursor.decode(text, tuple[str, int])
    assert caught.value.field == "cursor"


@pytest.mark.parametrize("text", ["", "A" * 3_000, "====", "é", "a\0b"])
def test_hostile_texts_are_refused(text: str) -> None:
    with pytest.raises(Invalid):
        cursor.decode(text, tuple[str])


def test_a_cursor_of_another_list_is_refused() -> None:
    made = cursor.encode([1], scope="tickets:created_at")
    with pytest.raises(Invalid):
        cursor.decode(made, tuple[int], scope="tickets:updated_at")


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["x"], tuple[int]),
        ([1, 2], tuple[int]),
        (["not a uuid"], tuple[UUID]),
        (["a\0b"], tuple[str]),
        ([2**63], tuple[int]),
    ],
)
def test_forged_values_are_refused(values: list[Any], kind: Any) -> None:
    with pytest.raises(Invalid) as caught:
        cursor.decode(cursor.encode(values), kind, field="query after")
    assert caught.value.field == "query after"


def test_a_cursor_fits_an_address() -> None:
    made = cursor.encode([datetime.now(UTC), UUID(int=0)], scope="x")
    assert made.replace("-", "").replace("_", "").isalnum()
    assert len(made) < 120
